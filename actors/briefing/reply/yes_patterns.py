r"""Regular expressions for a yes in English, for `rules.py`.

A yes is a clause that contains nothing else: `YES_CLAUSE`. Clauses of `ASIDE` may stand before it, and a
clause of `POLITE` after it. With any other clause the reply is not a yes: "okay, tell them I left".
"""

from __future__ import annotations

import re


def _group(*phrases: str) -> str:
    return "(?:" + "|".join(phrases) + ")"


_THEM = _group(
    "me|us|them|him|her|it|this|that",
    r"(?:the|this|that) (?:\w+ )?(?:caller|customer|call|client|gentleman|lady|person)",
)
_WORD = _group(
    r"yes|yeah|yea|yep|yup|aye|ok|okay|okey ?doke?y?|k|sure(?: thing)?|all right|alright|ready|all set",
    r"absolutely|of course|certainly|definitely|affirmative|indeed|gladly|with pleasure|my pleasure",
    r"you bet|please do|by all means|right away|any ?time|good to go|on it",
    r"fine(?: by me| with me)?|sounds (?:good|great|fine)|(?:that )?works(?: for me)?",
    r"(?:that|it)(?:'s| is) (?:fine|okay|ok|all right)|(?:i am|i can|i will|i do|we are|we can)",
    r"why not|(?:no|not a) problem(?: at all)?|no worries|no doubt|(?:i )?don't see why not",
    r"(?:i )?can't wait|(?:i )?don't mind(?: at all)?",
)
_WHENEVER = r"(?:ready )?when(?:ever)? you(?:'re| are)(?: ready)?"
_GO = _group(
    r"go|go ahead|go for it|go on|do it|proceed|fire away|(?:i will|will|i can|can) do",
    r"let's (?:go(?: ahead)?|do (?:it|this)|talk|start|get started|(?:hear|have) (?:it|them|him|her))|let's",
    rf"(?:put|patch|send|bring|connect|transfer) {_THEM}|(?:hand|pass|give|switch) {_THEM} (?:over|to me)",
    rf"let {_THEM} (?:in|through)|let's (?:get|have) {_THEM} (?:on|in|on the line)|connect|transfer",
    r"(?:you can|you may) (?:put|connect|patch|send|transfer|bring|let|go)",
)
_I = _group(
    r"(?:i'm|i am|we're|we are) (?:all )?(?:ready|set|here|good to go|available|free|on it)",
    r"(?:i've|i have) got (?:it|this|time)|i have time|i'm all ears",
    r"(?:i'd (?:love|be happy|be glad)|happy) to",
    r"(?:i'll|i will|i can|we can|(?:i'd|i would|would) love to|i'd be happy to|"
    r"(?:(?:i'm|i am) )?(?:happy|glad|ready) to|let me) "
    rf"(?:take|handle|have|help|do|(?:talk|speak)(?: to| with)?) ?{_THEM}?",
)
_YES = _group(_WHENEVER, _GO, _I, _WORD)
_REST = _group(
    r"please|now|then|right now|straight away|immediately|at once|quickly|quick|real|really|fast|today",
    r"through|thru|over|on|in|up|across|here|too|as well|all|and|to go|to talk|to start",
    r"to me|with me|to us|for you|it is|that is|i'm good|i'm fine",
    rf"(?:for |to )?{_THEM}|(?:to )?(?:take|talk to|talk with|speak to|speak with|help) {_THEM}",
    r"sir|ma'am|thanks|thank you|very much|so much|a lot",
)
FILLER = (
    r"(?:(?:oh|um|uh|er|well|so|and|hi|hello|hey|hmm|ah|then|now|thanks|thank you|yeah|yes|i think|please) )*"
)
YES_CLAUSE = re.compile(rf"^{FILLER}{_YES}(?: {_group(_YES, _REST)})*$")
REQUEST = re.compile(
    rf"^{FILLER}(?:(?:ok|okay|sure|please) )*(?:can|could|will|would) you (?:please )?"
    r"(?:put|connect|patch|send|transfer|bring|let|hand|pass)\b"
)
GO = re.compile(
    rf"\b(?:go ahead|(?:put|connect|send|patch|bring) {_THEM}|i'?m ready|i am ready|i'll take|i can take|"
    r"i will take)\b"
)
"""A go-ahead that outweighs a reason against it: "I'm busy, but go ahead"."""

ASIDE = re.compile(
    rf"^{FILLER}"
    + _group(
        r"hello|hi|hey|good (?:morning|afternoon|evening)(?: \w+)?|oh|um|uh|er|well|so|hmm|ah|now|then",
        r"this is \w+(?: \w+)?(?: here| speaking)?|(?:it's )?\w+ (?:here|speaking)|i'm back",
        r"great|perfect|good|nice|cool|excellent|lovely|right|i see|got it|understood|i understand",
        r"i (?:heard|got) (?:you|it|that|everything|all that)|sorry(?: about that)?|please",
        r"thanks|thank you|thanks for (?:waiting|that|the \w+)",
    )
    + "$"
)
POLITE = re.compile(
    r"^(?:please|thanks|thank you(?: very much)?|thanks a lot|cheers|great|perfect|sir|ma'am)$"
)
