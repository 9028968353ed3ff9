#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""filter.py HEADER: a public header as doxygen wants it, to standard output.

The comments of our headers are written for who reads the header. Here doxygen is told that one

    at the start of the file      is about the file,
    with ---- dashes ----         begins a part of the header and is about that,
    before a blank line           too: its first words are the title,
    right before a declaration    is about that, and about those that follow it without a blank
                                  line (but between inline functions) or a comment between,
    behind a member               is about that member.

A member without any has a name that says it, and shares the comment of its struct or enum.
"""

import re
import sys
from pathlib import Path

FOR_CXX = re.compile(r"#ifdef __cplusplus\n.*?(?:#else\n(.*?))?#endif\n", re.S)
TITLE = re.compile(r"---- (.*?) ----\s*(.*)|([^:.]+)[:.]\s*(.*)", re.S)
MEMBERS = re.compile(r"(?:struct|enum)(?: \w+)? \{|    union \{")
ONE_LINE = re.compile(r"(enum(?: \w+)? \{ )(.*)( \};)")
SEVERAL = re.compile(r"( +(?:const )?\w+(?: \w+)? )(\*?\w+(?:, \*?\w+)+);")
WITH_CODE = re.compile(r"(.*?)(?:\n\n((?: {4}[^\n]*\n*)+)(.*))?", re.S)
SPECIAL = re.compile(r"(\"[^\"\n]*\")|[\\@<>&%#]")  # quotes are what they are to doxygen too
SHARED = "&nbsp;"  # an empty comment would be none


def text_of(comment):
    """What a comment says, without its stars."""
    inner = re.fullmatch(r"\s*/\*\*?(.*)\*/", comment, re.S)[1]
    return "\n".join(re.sub(r"^ *\* ?", "", line) for line in inner.split("\n")).strip()


def escaped(text):
    """Nothing in it is a command or HTML, but what comments in the style of kernel-doc have, and code,
    which is indented."""
    prose, code, behind = WITH_CODE.fullmatch(text).groups()
    if code:
        return f"{escaped(prose)}\n\n@code\n{code}@endcode\n{escaped(behind)}"
    text = SPECIAL.sub(lambda found: found[1] or "\\" + found[0], text)
    if re.match(r"tw_\w+\(\) - ", text):
        text = re.sub(r"^.*? - (.*)", r"\1.", text)
        text = re.sub(r"^\\@(\w+):", r"@param \1", text, flags=re.M)
        text = re.sub(r"^Return:", "@return", text, flags=re.M)
        text = re.sub(r"\\@(\w+)", r"@p \1", text)
    return text


def is_whole(item):
    """Whether a comment, a directive, a declaration or a member is there to its end."""
    if item.count("/*") != item.count("*/") or item.endswith("\\"):
        return False
    code = re.sub(r"\s*/\*.*?\*/", "", item, flags=re.S).strip()
    return not code or code[0] == "#" or (
        code.count("(") == code.count(")") and code[-1] in ";,{}")


def items_of(text):
    held = ""
    for line in text.split("\n"):
        held += line
        if is_whole(held):
            yield held
            held = ""
        else:
            held += "\n"


class Filter:
    """Goes through a header, item by item; None where one is nothing to doxygen."""

    def __init__(self):
        self.doc = None  # what is said of the declarations that come
        self.inside = None  # "function", or whether a struct or enum has a comment
        self.parts = 0

    def part(self, text):
        found = [group for group in TITLE.fullmatch(text).groups() if group is not None]
        end = "/** @} */\n" if self.parts else ""
        self.parts += 1
        rest = escaped(found[1] if text.startswith("-") else text)
        title = found[0][0].upper() + escaped(found[0][1:])
        return f"{end}/** @name {title}\n{rest} */\n/** @{{ */"

    def member(self, item):
        code, _, behind = item.partition("/*")
        doc = text_of("/*" + behind) if behind else self.doc
        doc = SHARED if doc is None and self.inside == "documented" else doc and escaped(doc)
        several = SEVERAL.fullmatch(code.rstrip())
        ones = [f"{several[1]}{n};" for n in several[2].split(", ")] if several else [code]
        return "\n".join(f"/** {doc} */\n{one}" if doc else one for one in ones)

    def declaration(self, item):
        before = f"/** {escaped(self.doc)} */\n" if self.doc else ""
        one_line = ONE_LINE.fullmatch(item)
        if one_line:
            names = one_line[2].split(", ")
            item = f"{one_line[1]}{', '.join(before + name for name in names)}{one_line[3]}"
        elif MEMBERS.match(item):
            self.inside = "documented" if self.doc else "bare"
            self.doc = None
        elif item.endswith("{"):
            self.inside = "function"
        return before + item

    def line(self, item, following):
        if self.inside == "function":
            self.inside = None if item == "}" else self.inside
            return item
        if item.lstrip().startswith("/*"):
            text = text_of(item)
            alone = not self.inside and (text.startswith("----") or not following.strip())
            self.doc = None if alone else text
            return self.part(text) if alone else None
        if item.startswith("}") or not item.strip():
            self.inside = None if item.startswith("}") else self.inside
            if not following.startswith("static inline"):
                self.doc = None
            return item
        if item.strip().startswith("}") or item.strip() == "union {":
            return item
        if self.inside:
            out, self.doc = self.member(item), None
            return out
        if item.startswith("#") and not item.startswith("#define"):
            return item
        return self.declaration(item)


def main():
    text = Path(sys.argv[1]).read_text(encoding="utf-8")
    text = FOR_CXX.sub(lambda found: found[1] or "", text)
    _, about, text = re.fullmatch(r"(/\* SPDX.*?\*/\n)(/\*.*?\*/)\n(.*)", text, re.S).groups()
    print(f"/** @file\n{escaped(text_of(about))} */")
    items = list(items_of(text))
    out = Filter()
    for item, following in zip(items, items[1:] + [""]):
        said = out.line(item, following)
        if said is not None:
            print(said)
    if out.parts:
        print("/** @} */")


main()
