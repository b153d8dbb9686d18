"""Read questions.yaml: the plain questions of "What is known", the words of the child's own page, and the flags that a concern implies."""

from __future__ import annotations

from collections.abc import Mapping

from referral.domain.policy.directory import Names
from referral.domain.policy.questions import SEVERAL, ChildsWord, Question, Questions
from referral.domain.policy.reading.code_lists import Codes, Labels, as_id, names
from referral.domain.policy.reading.numbers import Numbers, filled
from referral.domain.policy.reading.reader import Node, Reader, allowed
from referral.domain.policy.reading.vocabulary import TRAITS

FILE = "questions.yaml"
MOST = 3
"""Questions of a concern that the public form asks (ours): it is filled in by somebody in a hurry, who may be afraid."""


def read_questions(reader: Reader, codes: Codes, labels: Labels, own: Mapping[str, tuple[str, ...]], numbers: Numbers) -> Questions:
    """Return the questions of the policy; none where it has no such file.

    own: concern → the flags that its procedures name among their own words, which staff are asked by their sentences.
    numbers: those that a text may name by a word.
    """
    if FILE not in reader.files:
        return Questions()
    root = reader.open(FILE).fields(("questions", "public", "staff", "child"), ("implies",))
    each = {id: _question(id, node, codes, labels) for id, node in root["questions"].items()}
    public = {concern: node.words(each, "question") for concern, node in root["public"].items()}
    for concern, node in root["public"].items():
        if concern not in codes.get("concern", ()):
            node.key_error(f"concern {concern} is not known; {allowed(concern, codes.get('concern', ()))}")
        if len(public[concern]) > MOST:
            node.error(f"{len(public[concern])} questions are more than a stranger answers; at most {MOST}")
    implies = {concern: node.words(codes.get("flag", ()), "flag") for concern, node in root["implies"].items()}
    for concern, node in root["implies"].items():
        if concern not in codes.get("concern", ()):
            node.key_error(f"concern {concern} is not known; {allowed(concern, codes.get('concern', ()))}")
    staff = [_group(node, each) for node in root["staff"].each()]
    asked = {flag for one in each.values() for flag in (*one.sets.get("flags", ()), *one.any_of)}
    for concern, flags in own.items():  # a procedure that is one file brings its flags, and their sentences, with it
        more = [flag for flag in flags if flag not in asked and flag not in each]
        each |= {flag: Question(id=flag, names=labels["flag"][flag], sets={"flags": (flag,)}) for flag in more}
        staff += [(labels["concern"][concern], tuple(more))] if more else []
    child = {id: _word(id, node, codes, each, numbers) for id, node in root["child"].items()}
    return Questions(each=each, public=public, staff=tuple(staff), child=child, implies=implies)


def _question(id: str, node: Node, codes: Codes, labels: Labels) -> Question:
    """Read one question. Without words of its own, a question about one flag is the sentence of that flag."""
    get = node.fields((), ("ask", "sets", "choose", "any_of", "time", "age"))
    kinds = sum(word in get for word in ("sets", "choose", "any_of"))
    if kinds > 1 or not (kinds or "time" in get):
        node.error("a question has one of: sets (what yes says), choose (one code of a trait), any_of (flags to mark), or time alone")
    sets = {trait: _codes(trait, value, codes) for trait, value in get["sets"].items()}
    flags = sets.get("flags", ())
    spoken: Names = {}
    if "ask" in get:
        spoken = names(get["ask"])
    elif "time" in get and not kinds:
        spoken = labels.get("time", {}).get(get["time"].word(), {})
    elif len(flags) == 1 and len(sets) == 1:
        spoken = labels.get("flag", {}).get(flags[0], {})
    else:
        node.error("ask is missing: only a question about one flag has that flag’s sentence")
    choose = get["choose"].word(TRAITS, "trait")
    return Question(
        id=as_id(id, node),
        names=spoken,
        sets=sets,
        choose=choose,
        any_of=get["any_of"].words(codes.get("flag", ()), "flag", least=1),
        time=get["time"].word(codes.get("time", ()), "time"),
        ages=get["age"].words(codes.get("age", ()), "age"),
    )


def _codes(trait: str, node: Node, codes: Codes) -> tuple[str, ...]:
    if trait not in TRAITS:
        node.key_error(f"trait {trait} is not known; {allowed(trait, TRAITS)}")
        return ()
    found = node.words(codes.get(TRAITS[trait], ()), TRAITS[trait], least=1)
    if len(found) > 1 and trait not in SEVERAL:
        node.error(f"a person has one {trait}; name one code")
    return found


def _group(node: Node, each: Mapping[str, Question]) -> tuple[Names, tuple[str, ...]]:
    get = node.fields(("names", "ask"))
    return names(get["names"]), get["ask"].words(each, "question", least=1)


def _word(id: str, node: Node, codes: Codes, each: Mapping[str, Question], numbers: Numbers) -> ChildsWord:
    get = node.fields(("names", "then"), ("concern", "flags", "asks"))
    asks = get["asks"].words(each, "question")
    if len(asks) > MOST:
        get["asks"].error(f"{len(asks)} questions are more than a child is asked; at most {MOST}")
    return ChildsWord(
        id=as_id(id, node),
        names=names(get["names"]),
        then={language: filled(said, numbers, get["then"].error) for language, said in names(get["then"]).items()},
        concern=get["concern"].word(codes.get("concern", ()), "concern") if "concern" in get else "",
        flags=get["flags"].words(codes.get("flag", ()), "flag"),
        asks=asks,
    )
