# SPDX-License-Identifier: Apache-2.0
#
# spec/session/SIDE.tsv in the form that is asked for; the one source of all three:
#   awk -v side=host -v form=c        -f session_table.awk host.tsv   a C header: enums, names, table
#   awk -v side=host -v form=promela  -f session_table.awk host.tsv   the same for spec/model
#   awk -v side=host -v form=markdown -f session_table.awk host.tsv   the figures of spec/session.md
#
# An input is an event with its guard: "invoke" with "known" is invoke_known, with "-" just the
# event. A guard "*" stands for every guard of the event that has no row of its own in that state,
# an event "*" for every event that has none.
BEGIN { FS = "\t" }
/^#/ || NF == 0 { next }
NF != 6 { fail(FILENAME ":" FNR ": want 6 columns, have " NF) }
{
    n_states = note(states, is_state, n_states, $1)
    n_actions = note(actions, is_action, n_actions, $4)
    if ($2 != "*" && $3 != "*") {
        input = $2 ($3 == "-" ? "" : "_" $3)
        n_inputs = note(inputs, is_input, n_inputs, input)
        n_events = note(events, is_event, n_events, $2)
        event_of[input] = $2
        label_of[input] = $2 ($3 == "-" ? "" : " [" $3 "]")
    } else {
        input = $2 == "*" ? "*" : $2 " *"
    }
    if (($1, input) in row) fail(FILENAME ":" FNR ": cell " $1 "/" $2 "/" $3 " is there twice")
    row[$1, input] = FNR
    action[FNR] = $4; next_state[FNR] = $5; rule[FNR] = $6; from[FNR] = $1
    what[FNR] = $2 == "*" ? "anything else" : $3 == "*" ? $2 " [else]" : label_of[input]
    order[++n_rows] = FNR
}
function fail(why) { print why > "/dev/stderr"; failed = 1; exit 1 }
function note(list, seen, count, name) {
    if (!(name in seen)) { seen[name] = 1; list[++count] = name }
    return count
}
# The row that says what happens in this state with this input.
function row_of(state, input) {
    if ((state, input) in row) return row[state, input]
    if ((state, event_of[input] " *") in row) return row[state, event_of[input] " *"]
    if ((state, "*") in row) return row[state, "*"]
    fail(side ".tsv: no cell " state "/" input)
}
# Puts the inputs of one event side by side.
function sort_inputs(    i, j, n, sorted) {
    for (i = 1; i <= n_events; i++)
        for (j = 1; j <= n_inputs; j++)
            if (event_of[inputs[j]] == events[i]) sorted[++n] = inputs[j]
    for (j = 1; j <= n_inputs; j++) inputs[j] = sorted[j]
}
function check(    i, j) {
    for (i = 1; i <= n_rows; i++)
        if (!(next_state[order[i]] in is_state)) fail(side ".tsv: no state " next_state[order[i]])
    for (i = 1; i <= n_states; i++)
        for (j = 1; j <= n_inputs; j++) used[row_of(states[i], inputs[j])] = 1
    for (i = 1; i <= n_rows; i++)
        if (!(order[i] in used)) fail(side ".tsv:" order[i] ": this row never applies")
}

# ---- C ----
function c_name(kind, name) { return "TW_" toupper(side) "_" kind "_" toupper(name) }
function c_enum(kind, list, count,    i) {
    print "enum tw_" side "_" tolower(kind) " {"
    for (i = 1; i <= count; i++) print "    " c_name(kind, list[i]) ","
    print "    " c_name(kind, "max") ",\n};\n"
    print "static const char *const tw_" side "_" tolower(kind) "_names[" c_name(kind, "max") "] = {"
    for (i = 1; i <= count; i++) print "    [" c_name(kind, list[i]) "] = \"" list[i] "\","
    print "};\n"
}
function c_table(    i, j, r) {
    print "/* Generated from spec/session/" side ".tsv. */\n#pragma once\n"
    c_enum("STATE", states, n_states)
    c_enum("EVENT", inputs, n_inputs)
    c_enum("ACTION", actions, n_actions)
    print "struct tw_" side "_cell {\n    enum tw_" side "_action action;"
    print "    enum tw_" side "_state next;\n    const char *rule;"
    print "    unsigned line; /* of its row in the source */\n};\n"
    print "static const struct tw_" side "_cell tw_" side "_table"
    print "    [" c_name("STATE", "max") "][" c_name("EVENT", "max") "] = {"
    for (i = 1; i <= n_states; i++) {
        print "    [" c_name("STATE", states[i]) "] = {"
        for (j = 1; j <= n_inputs; j++) {
            r = row_of(states[i], inputs[j])
            print "        [" c_name("EVENT", inputs[j]) "] = {" c_name("ACTION", action[r]) ", " \
                c_name("STATE", next_state[r]) ", \"" rule[r] "\", " r "},"
        }
        print "    },"
    }
    print "};"
}

# ---- Promela: host_bound, host_on_invoke_known, host_do_dispatch, and host_step() ----
function p_names(prefix, list, count,    i) {
    for (i = 1; i <= count; i++) print "#define " side "_" prefix list[i] " " (i - 1)
}
function p_table(    i, j, r) {
    print "/* Generated from spec/session/" side ".tsv. */"
    p_names("", states, n_states)
    p_names("on_", inputs, n_inputs)
    p_names("do_", actions, n_actions)
    print "inline " side "_step(state, input, act) {\n    if"
    for (i = 1; i <= n_states; i++) {
        print "    :: state == " side "_" states[i] " ->\n        if"
        for (j = 1; j <= n_inputs; j++) {
            r = row_of(states[i], inputs[j])
            print "        :: input == " side "_on_" inputs[j] " -> act = " side "_do_" action[r] \
                "; state = " side "_" next_state[r]
        }
        print "        fi"
    }
    print "    fi\n}"
}

# ---- Markdown: a diagram of what changes the state, and the whole table ----
function m_diagram(    i, j, r, key, label, edges, edge) {
    print "```mermaid\nstateDiagram-v2\n    [*] --> " states[1]
    for (i = 1; i <= n_rows; i++) {
        r = order[i]
        if (next_state[r] == from[r]) continue
        key = from[r] " --> " next_state[r] ":" action[r]
        if (!(key in label)) edge[++edges] = key
        label[key] = label[key] (label[key] ? ",<br>" : "") what[r]
    }
    for (j = 1; j <= edges; j++) {
        split(edge[j], key_parts, ":")
        print "    " key_parts[1] ": " label[edge[j]] "<br>/ " key_parts[2]
    }
    print "```\n"
}
function m_cell(r) {
    return action[r] (next_state[r] == from[r] ? "" : " → **" next_state[r] "**") " (" rule[r] ")"
}
function m_table(    i, j, line) {
    line = "| event [guard] |"
    for (i = 1; i <= n_states; i++) line = line " " states[i] " |"
    print line
    line = "|---|"
    for (i = 1; i <= n_states; i++) line = line "---|"
    print line
    for (j = 1; j <= n_inputs; j++) {
        line = "| " label_of[inputs[j]] " |"
        for (i = 1; i <= n_states; i++) line = line " " m_cell(row_of(states[i], inputs[j])) " |"
        print line
    }
}

END {
    if (failed) exit 1
    sort_inputs()
    check()
    if (form == "c") c_table()
    else if (form == "promela") p_table()
    else if (form == "markdown") { m_diagram(); m_table() }
    else fail("form is c, promela or markdown")
}
