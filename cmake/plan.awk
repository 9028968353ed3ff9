# SPDX-License-Identifier: Apache-2.0
# What protobuf-c generated, and in it a plan for each message that has fields (src/wire/plan.h), to
# which the message's descriptor points.

function kind_of(label, type, flags)
{
    if (flags ~ /ONEOF/)
        return type == "MESSAGE" ? "CHOICE" : "NONE"
    if (label == "REPEATED")
        return type == "STRING" || type == "MESSAGE" ? type "S" : "NONE"
    if (type == "STRING" || type == "BYTES" || type == "MESSAGE")
        return type
    return type ~ /FIXED|FLOAT|DOUBLE/ ? "NONE" : "NUMBER"
}

# lines: name, number, label, type, two offsets, descriptor, default, flags
function add_field(    kind)
{
    kind = kind_of(substr(lines[3], 18), substr(lines[4], 17), lines[9])
    if (kind != "NONE" && lines[2] + 0 < 32)
        plan = plan sprintf("  [%d] = TW_PLAN_%s + TW_PLAN_KINDS * %d,\n",
                            lines[2] * 8 + (kind == "NUMBER" ? 0 : 2), kind, n_fields)
    n_fields++
}

NR == 1 { print "#include \"wire/plan.h\"" }

/^static const ProtobufCFieldDescriptor / {
    name = $4
    sub(/__field_descriptors.*/, "", name)
    inside = 1
    n_fields = 0
    plan = ""
}
inside && /^  \{/ { n_lines = 0 }
inside && /^    / {
    line = $0
    gsub(/^ *|,.*/, "", line)
    lines[++n_lines] = line
}
inside && /^  \},/ { add_field() }

/^const ProtobufCMessageDescriptor / {
    current = $3
    sub(/__descriptor.*/, "", current)
}
/reserved\[123\]/ && (current in planned) { sub(/NULL/, "(void *)" current "__plan") }

{ print }

inside && /^};/ {
    inside = 0
    planned[name]
    printf "static const unsigned char %s__plan[TW_PLAN_TAGS] = {\n%s};\n", name, plan
}
