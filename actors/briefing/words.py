"""What English speakers and their machines say on the phone: the phrases behind `verdict.py`, as data. Pure.

All patterns are matched against lower case text with straight apostrophes and single spaces.
"""

from __future__ import annotations

import re


def _any(*phrases: str) -> re.Pattern[str]:
    return re.compile(r"\b(?:" + "|".join(phrases) + r")\b")


MACHINE = _any(
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
AWAY = _any(r"(?:i'm|i am|we're|we are) (?:not available|unavailable)")
RECORDER = _any(r"beep|tone|message|mailbox|voice ?mail")
REACHED = re.compile(r"\byou(?:'ve| have)? reached\b")
MAYBE_MACHINE = _any(
    r"not available|unavailable|away from",
    r"call(?:ing)? (?:you )?back",
    r"get back to you",
    r"your call",
    r"press \w+|extension",
    r"(?:office|business|opening) hours",
    r"message",
)
HUMAN = _any(
    r"how (?:can|may) i help", r"can i help", r"speaking", r"go ahead", r"who(?:'s| is) (?:this|calling)"
)

WAIT = _any(
    r"(?:hold|hang) on",
    r"(?:just )?(?:a|one|another) (?:quick )?(?:sec|second|moment|minute|min)",
    r"a couple (?:of )?(?:seconds|minutes)",
    r"(?:give|gimme|need|in|about) (?:me )?(?:a|an|one|two|three|five|ten|some|\d+) ?(?:more )?"
    r"(?:sec|second|moment|minute|min|time|seconds|moments|minutes|mins|hour)",
    r"wait",
    r"not (?:quite |just )?(?:yet|ready yet)",
    r"almost|nearly",
    r"let me",
    r"bear with me",
    r"stand ?by",
)
HARD_NO = _any(
    r"(?:i|we) (?:really |just |simply |honestly |)(?:can't|cannot|can not|couldn't|won't|will not|"
    r"don't want|do not want|am unable|am not able|am not available|am not going)"
    r"(?! (?:hear|understand|wait|see|complain|believe|remember|catch|make (?:you|that) out|quite))",
    r"(?:i'm|i am|we're|we are) (?:unable|not able|not available|unavailable|not ready|not going|"
    r"not the right|not interested|not comfortable|not at my desk)",
    r"not ready",
    r"not (?:right |just )?now|not today|not tonight|not at the moment|not this time|not possible|not me",
    r"no,? (?:thanks|thank you|way|chance|sorry|can't|i can't|i won't|not)",
    r"another time|some other time",
    r"(?:call|ring|phone|try)(?: me| us| them)? (?:back |again )?"
    r"(?:later|tomorrow|in (?:an|a|half|\d+|ten|five|twenty|thirty))",
    r"(?:call|ring|phone) (?:me |us |them )?back",
    r"(?:try|ask|get|find|call) (?:someone|somebody|anyone) else",
    r"(?:don't|do not|please don't|never) (?:put|connect|transfer|send|patch)",
    r"(?:i )?(?:decline|refuse|pass on this|have to pass|must decline)",
    r"wrong (?:number|person)",
    r"take me off|stop calling",
)
SOFT_NO = _any(
    r"busy|in a meeting|in the middle of|on another (?:call|line)|driving",
    r"at lunch|on (?:my )?(?:lunch|break|leave)",
    r"occupied|tied up|swamped|about to leave|on my way out|off duty|out of (?:the )?office",
)
PLAIN_NO = re.compile(r"^(?:(?:oh|um|uh|er|well|sorry|ah|hi|hello)[,.]* )*(?:no|nope|nah|negative|never)\b")
NO_THAT_IS_NONE = re.compile(
    r"\bno (?:problem|problems|worries|doubt|need to worry|trouble|issue|issues)\b|\bnot a problem\b|"
    r"\bwhy not\b|\b(?:can't|cannot) wait\b|\b(?:i )?(?:don't|do not) mind\b"
)

YES = (
    r"(?:yes|yeah|yea|yep|yup|aye|sure|ok|okay|k|absolutely|of course|certainly|definitely|affirmative|"
    r"please do|yes please|by all means|fine|all right|alright|"
    r"sounds good|go ahead|go for it|go on|do it|let's (?:do it|go|do this|hear it)|ready|all set|"
    r"(?:i'm|i am|we're|we are) (?:all )?(?:ready|set|here|good|on|good to go|available|free)|"
    r"(?:i'll|i will|i can|i'd be happy to|happy to|glad to|i'm happy to) (?:take|talk|speak|handle|do|help)|"
    r"(?:please )?(?:put|patch|send|bring|connect|transfer) (?:me|us|them|him|her|it|"
    r"the (?:caller|customer|call|gentleman|lady))|"
    r"(?:you can|you may) (?:put|connect|patch|send|transfer|go)|(?:i've|i have) got (?:it|this)|"
    r"why not|no problem|no worries|not a problem|no doubt|can't wait|don't mind|i don't mind)"
)
FILLER = r"(?:(?:oh|um|uh|er|well|so|and|hi|hello|hey|hmm|ah|then|now|thanks|thank you|yeah|yes|i think) )*"
REQUEST = re.compile(
    rf"^{FILLER}(?:(?:ok|okay|sure|please) )*(?:can|could|will|would) you (?:please )?"
    r"(?:put|connect|patch|send|transfer)\b"
)
READY_CLAUSE = re.compile(rf"^{FILLER}{YES}\b")
GO = _any(
    r"go ahead|put (?:them|him|her|me|the caller)|connect (?:us|me|them)|i'?m ready|i am ready|send them|"
    r"i'll take|i can take|i will take|patch (?:them|him|her)"
)
ASSENT = _any(
    r"yes|yeah|yep|yup|sure|ok|okay|ready|absolutely|certainly|definitely|of course|fine|alright|all right|"
    r"go ahead|go for it|(?:put|connect|patch|send|bring) (?:me|us|them|him|her|it)|"
    r"take (?:it|them|the call|this)|i'm here|happy to|let's"
)
HEDGE = _any(
    r"but|if|unless|except|although|though|depends|maybe|perhaps|might|not sure|unsure|later|before|first|"
    r"until|when|after|not|never|can't|cannot|won't|don't|isn't|no"
)
META = _any(
    r"instructions?|prompts?|system|tools?|function|done_briefing|done briefing|decline_transfer|assistant|"
    r"ignore|override|"
    r"(?:said|says|say|saying|answered|replied|confirmed|confirms|means?) (?:yes|ready|ok|okay)|"
    r"is ready|was ready|supervisor|you (?:are|must|should|have to)|mode|policy|approved|"
    r"treat|assume|pretend|json|role|command"
)
QUESTION = re.compile(
    rf"^{FILLER}(?:who|whom|whose|what|what's|which|when|where|why|how|is|isn't|are|was|were|did|does|do|has|"
    r"have|had|can|could|would|should|will|any|tell me|remind me|repeat)\b(?! (?:not|i'm)\b)"
)
SMALL_TALK = re.compile(
    rf"^{FILLER}(?:hello|hi|hey|pardon|sorry|excuse me|huh|what|yes|yeah|ok|okay|ready|sure|"
    r"anybody there|anyone there|is (?:any|some)\w+ there|"
    r"are you there|can you hear me|who is this|who's this|say (?:that )?again|come again|what did you say)?$"
)
CLAUSES = re.compile(r"[.,;:!?]+|\s+-+\s+|\b(?:and then|and so)\b")
NOISE = re.compile(r"[^a-z0-9_'.,;:!? -]+")
