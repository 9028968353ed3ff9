# spec/session/SIDE.tsv to a C header: enums of its states, events and actions, and the table.
# awk -v side=host -f session_table.awk host.tsv
BEGIN { FS = "\t" }
/^#/ || NF == 0 { next }
NF != 5 { print FILENAME ":" FNR ": want 5 columns, have " NF > "/dev/stderr"; bad = 1; exit 1 }
function note(list, seen, count, name) {
    if (!(name in seen)) { seen[name] = 1; list[++count] = name }
    return count
}
{
    n_states = note(states, is_state, n_states, $1)
    n_events = note(events, is_event, n_events, $2)
    n_actions = note(actions, is_action, n_actions, $3)
    if (($1, $2) in action) {
        print FILENAME ":" FNR ": cell " $1 "/" $2 " is there twice" > "/dev/stderr"; bad = 1; exit 1
    }
    action[$1, $2] = $3; next_state[$1, $2] = $4; rule[$1, $2] = $5
}
function name_of(kind, name) { return "TW_" toupper(side) "_" kind "_" toupper(name) }
function enumerate(kind, list, count,    i) {
    print "enum tw_" side "_" tolower(kind) " {"
    for (i = 1; i <= count; i++) print "    " name_of(kind, list[i]) ","
    print "    " name_of(kind, "max") ",\n};\n"
}
function names(kind, list, count,    i) {
    print "static const char *const tw_" side "_" tolower(kind) "_names[" name_of(kind, "max") "] = {"
    for (i = 1; i <= count; i++) print "    [" name_of(kind, list[i]) "] = \"" list[i] "\","
    print "};\n"
}
END {
    if (bad) exit 1
    print "/* Generated from spec/session/" side ".tsv. */\n#pragma once\n"
    enumerate("STATE", states, n_states)
    enumerate("EVENT", events, n_events)
    enumerate("ACTION", actions, n_actions)
    names("STATE", states, n_states)
    names("EVENT", events, n_events)
    names("ACTION", actions, n_actions)
    print "struct tw_" side "_cell {\n    enum tw_" side "_action action;"
    print "    enum tw_" side "_state next;\n    const char *rule;\n};\n"
    print "static const struct tw_" side "_cell tw_" side "_table"
    print "    [" name_of("STATE", "max") "][" name_of("EVENT", "max") "] = {"
    for (s = 1; s <= n_states; s++) {
        print "    [" name_of("STATE", states[s]) "] = {"
        for (e = 1; e <= n_events; e++) {
            if (!((states[s], events[e]) in action)) {
                print side ".tsv: no cell " states[s] "/" events[e] > "/dev/stderr"; exit 1
            }
            to = next_state[states[s], events[e]]
            if (!(to in is_state)) { print side ".tsv: no state " to > "/dev/stderr"; exit 1 }
            print "        [" name_of("EVENT", events[e]) "] = {" \
                name_of("ACTION", action[states[s], events[e]]) ", " name_of("STATE", to) \
                ", \"" rule[states[s], events[e]] "\"},"
        }
        print "    },"
    }
    print "};"
}
