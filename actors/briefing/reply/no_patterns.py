"""Regular expressions for everything that is not a yes, for `rules.py`: no, voicemail, wait, question.

All patterns match lower-case text with straight apostrophes and single spaces.

Invariant: the patterns that forbid a yes match no words with another meaning in another language. Examples of
such words are "no hay problema", "is goed" and "was". Held by `test_a_model_may_classify_these_as_a_yes`.
"""

from __future__ import annotations

import re

from .yes_patterns import FILLER


def _words(*phrases: str) -> re.Pattern[str]:
    return re.compile(r"\b(?:" + "|".join(phrases) + r")\b")


VOICEMAIL = _words(
    r"leave (?:me |us |him |her )?(?:a|your)(?: short| brief| detailed)? (?:voice ?)?(?:message|name)",
    r"leave your name",
    r"(?:after|at|following) the (?:beep|tone|signal)",
    r"(?:record|press \w+ to leave) (?:a|your) message",
    r"(?:is|are) (?:not available|unavailable|unable to (?:take|answer|come))",
    r"(?:the )?(?:person|party|number|customer|subscriber) you(?:'re| are| have| were)? "
    r"(?:called|calling|dialed|dialled|trying)",
    r"voice ?mail(?:box)? (?:of|for|is|system|service)",
    r"mailbox (?:is|of|belonging|has)",
    r"forwarded to (?:an? )?(?:automated )?(?:voice|answering)",
    r"answering (?:machine|service)",
    r"(?:get|getting) back to you as soon as",
    r"(?:can't|cannot|can not) (?:come to|get to|answer) (?:the|my|your) (?:phone|call)",
)
UNAVAILABLE_SELF = _words(r"(?:i'm|i am|we're|we are) (?:not available|unavailable)")
RECORDING = _words(r"beep|tone|message|mailbox|voice ?mail")
REACHED = re.compile(r"\byou(?:'ve| have)? reached\b")
MAYBE_VOICEMAIL = _words(
    r"not available|unavailable|away from",
    r"call(?:ing)? (?:you )?back",
    r"get back to you",
    r"your call",
    r"press \w+|extension",
    r"(?:office|business|opening) hours",
    r"(?:a|the|your|text|voice)(?: \w+)? message",
)
HUMAN = _words(
    r"how (?:can|may) i help", r"can i help", r"speaking", r"go ahead", r"who(?:'s| is) (?:this|calling)"
)

WAIT_REQUEST = _words(
    r"(?:hold|hang) on",
    r"(?:just )?(?:a|one|another) (?:quick )?(?:sec|second|moment|minute|min)",
    r"a couple (?:of )?(?:seconds|minutes)",
    r"(?:give|gimme|need|in|about) (?:me )?(?:a|an|one|two|three|five|ten|some|\d+) ?(?:more )?"
    r"(?:sec|second|moment|minute|min|time|seconds|moments|minutes|mins|hour)",
    r"wait",
    r"not (?:quite |just )?(?:yet|ready yet)",
    r"bear with me",
    r"stand ?by",
)
WAIT_HINT = _words(WAIT_REQUEST.pattern, r"almost|nearly", r"let me")
HARD_NO = _words(
    r"(?:i|we) (?:really |just |simply |honestly |)(?:can't|cannot|can not|couldn't|won't|will not|"
    r"don't want|do not want|am unable|am not able|am not available|am not going)"
    r"(?! (?:hear|understand|wait|see|complain|believe|remember|catch|make (?:you|that) out|quite|be long))",
    r"(?:i'm|i am|we're|we are) (?:unable|not able|not available|unavailable|not ready|not going|"
    r"not the right|not interested|not comfortable|not at my desk)",
    r"not ready|(?:don't|do not) have (?:the |any )?time|have no time",
    r"not (?:right |just )?now|not today|not tonight|not at the moment|not this time|not possible|not me",
    r"no,? (?:thanks|thank you|way|chance|sorry|can't|i can't|i won't|not)",
    r"another time|some other time|(?:i said|i say|that's a|it's a|answer is) no",
    r"(?:call|ring|phone|try)(?: me| us| them)? (?:back |again )?"
    r"(?:later|tomorrow|in (?:an|a|half|\d+|ten|five|twenty|thirty))",
    r"(?:call|ring|phone) (?:me |us |them )?back",
    r"(?:try|ask|get|find|call) (?:someone|somebody|anyone) else",
    r"(?:don't|do not|please don't|never) (?:put|connect|transfer|send|patch)",
    r"(?:i )?(?:decline|refuse|pass on this|have to pass|must decline)",
    r"(?:i'd|i would|we'd) (?:rather|prefer) not|not a good time|bad time",
    r"wrong (?:number|person)",
    r"take me off|stop calling",
)
SOFT_NO = _words(
    r"(?:i'm|i am|we're|we are|too|very|really|quite|pretty|a bit|kind of|sorry|currently) busy"
    r"|busy (?:right now|now|at the moment|today|here)",
    r"in a meeting|in the middle of|on another (?:call|line)|(?:i'm|i am) driving",
    r"at lunch|on (?:my )?(?:lunch|break|leave)",
    r"occupied|tied up|swamped|about to leave|on my way out|off duty|out of (?:the )?office",
)
"""A reason against it. It is a refusal, unless the reply also says to go ahead or to wait."""

_BEFORE_NO = r"(?:(?:oh|um|uh|er|well|sorry|ah|hi|hello)[,.]* )*"
_BARE_NO = (
    r"(?:no|nope|nah|negative|never|(?:certainly|definitely|absolutely|of course|afraid) not|not really|"
    r"not at all)(?:[,.]* (?:no|nope|nah|sorry|sir|ma'am|never|please|really|i'm afraid))*"
)
BARE_NO = re.compile(rf"^{_BEFORE_NO}(?:{_BARE_NO}|busy)[,.!;:-]*$")
PLAIN_NO = re.compile(
    rf"^{_BEFORE_NO}{_BARE_NO}[,.!;:-]* "
    r"(?:i|i'm|i've|i'd|i'll|we|we're|we've|she|they|they're|that|that's|it's|this|the|my|you|your|not|because|there|there's|someone|right|just|really|actually|unfortunately|please|"
    r"don't|can't|let|but)\b"
)
"""A no that continues in English; "no hay problema" does not."""

FALSE_NO = _words(
    r"(?:no|not a) problems?(?: at all)?|no (?:worries|doubt|need to worry|trouble|issues?)",
    r"(?:don't see )?why not",
    r"(?:can't|cannot) wait|(?:i )?(?:don't|do not) mind|when(?:ever)? you(?:'re| are)",
    r"let me (?:take|handle|have|(?:talk|speak) (?:to|with)) (?:it|this|them|him|her|the \w+)",
)
"""Phrases that look like a no or a condition, and mean yes."""

ASIDE_NO = _words(
    r"no rush|if you(?:'d)? (?:like|want|please)|i (?:can't|cannot) complain|(?:i|it) won't (?:be|take) long",
    r"i (?:don't want to|do not want to|can't|won't|don't) (?:keep|leave|let|make) (?:\w+ ){1,2}wait(?:ing)?",
    r"(?:i'm|i am|we're|we are) not (?:too |that |very |so )?busy",
    r"(?:but )?(?:i have|i've got|i've only got|i only have|i just have) (?:only |just |about )?"
    r"(?:a|one|two|three|five|ten|\d+)(?: few| couple of)? (?:sec|seconds?|moment|minutes?)",
    r"but (?:please )?(?:(?:make|keep|be) (?:it )?)?(?:quick|quickly|fast|short|brief|briefly)",
)
"""Phrases that look like a no, a condition or a request to wait. They mean none of these, and no yes."""

HEDGE = _words(
    r"if|unless|except|although|though|depends|maybe|perhaps|might|not sure|unsure|later|before|first|"
    r"until|when|after|not|never|can't|cannot|won't|don't|isn't|no|tomorrow|rather|instead"
)
PROMPT_INJECTION = _words(
    r"instructions?|prompts?|system|tools?|function|done_briefing|done briefing|decline_transfer|assistant|"
    r"ignore|override|confirmation|translate|execute|repeat after|base64|"
    r"(?:said|says|say|saying|answered|replied|confirmed|confirms|means?) '?(?:yes|ready|ok|okay)|"
    r"is ready|was ready|the answer is|from now on|"
    r"(?<!i'm )(?<!i am )(?<!this is )the supervisors?|"
    r"supervisors? (?:is|was|has|said|says|no)|supervisor(?='s|:)|"
    r"you must|mode|policy|treat|assume|pretend|json|role|command",
    r"[a-z](?:[ ,.]+[a-z]\b){3,}",
)
"""Words about the agent and its instructions, and spelled-out letters. People do not say yes like that."""

QUESTION = re.compile(
    rf"^{FILLER}(?:who|whom|whose|what|what's|which|when|where|why|how|is|isn't|are|was|were|did|does|do|has|"
    r"have|had|can|could|would|should|will|any|tell me|remind me|repeat)\b"
    r"(?! (?:not|i'm|it\b|love|do$|time$|put|connect|them|him|her))"
)
ENGLISH_QUESTION = re.compile(
    rf"^{FILLER}(?:(?:who|who's|whom|whose|what|what's|which|when|when's|where|where's|how|how's)\b"
    r"(?! (?:you|they)(?:'re| are)\b)|tell me|remind me|"
    r"(?:is|are|was|were|did|does|has|have|had) "
    r"(?:it|he|she|they|this|that|there|the|you|we|i)\b|do (?:you|we|they|i)\b(?! mind)|"
    r"(?:can|could|would|will) you\b)"
)
WH_WORD = _words("who", "whom", "what", "when", "where", "how")
"""Question words that mean the same in no other language."""

SMALL_TALK = re.compile(
    rf"^{FILLER}(?:hello|hi|hey|pardon|sorry|excuse me|huh|what|yes|yeah|ok|okay|ready|sure|"
    r"anybody there|anyone there|is (?:any|some)\w+ there|"
    r"are you there|can you hear me|who is this|who's this|say (?:that )?again|come again|what did you say)?$"
)
NO_ANSWER = re.compile(
    r"^(?:hello|hi|hey|pardon(?: me)?|sorry|excuse me|huh|what|hm+|uh|um|er|ah|oh|i see|"
    r"(?:i|we) (?:can't|cannot|couldn't) (?:hear|understand|catch)(?: \w+)*)?$"
)
"""A sound, a greeting, or "I can't hear you"."""

CLAUSES = re.compile(r"[.,;:!?\u3002\u3001\u0964]+|\s+-+\s+|\b(?:and then|and so|but)\b")
NOISE = re.compile(r"[^\w'.,;:!?\u3002\u3001\u0964 -]+")
