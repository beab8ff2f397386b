"""English."""

from __future__ import annotations

from typing import Final

from .language import Language

ENGLISH: Final = Language(
    code="en",
    them=(
        "them|him|her|it|this|that|em|us|everyone|the caller|the customer|the call|the client|the lady|"
        "the gentleman|the person|this caller|this customer|this call|this person|that caller|that customer|"
        "that call|my caller|my customer|the guest|the patient|the guy|that one|this one|these people|my customer|my client|mrs *|mr *|ms *"
    ),
    yes="""
    (yes|yeah|) go on (then|); (i'm|i am|we're|we are) (able|available|free|happy|glad|prepared|ready|set|good|delighted) (to (take|handle|have|accept|answer|pick up|speak to|speak with|talk to|talk with|help|do|join|deal with) ({them}|)|for ({them}|this)); (i'm|i am|we're|we are) (available|free|prepared|ready|set); (i'd|i would) (be|) (happy|glad|like|love|delighted|pleased) to (take|handle|have|accept|answer|speak to|speak with|talk to|talk with|help|do|join|see) ({them}|); ready (for|to take|to speak to|to speak with|to talk to|to talk with|to help) {them}; (let's|let us) (talk to|speak to|speak with|talk with|help|hear|see|get|have|meet) {them}; (i'll|i will|we'll) (take|handle|do|manage|deal with|look after|accept) {them} (from here|) (on|); leave (them|him|her|the caller|the customer) (with|to) me; (it's|it is|this is|now is|now's|it's a|this is a) (a good time|good time|fine|good|okay|ok|perfect|alright); now works (for me|); now is (fine|good|okay|ok|perfect|a good time); (i have|i've got|i have got) (the|some|enough|plenty of|a bit of|a little|) time (now|right now|for {them}|); (i'm|i am) on (it|); i accept (them|this|the handover|the transfer|); (i'll|i will) accept ({them}|the transfer); (that's|that is|you're|you are) (right|correct|exactly right); correct; exactly; precisely; confirmed; you (understood|heard|got) (me|that|it|) (right|correctly|correct); let's get (to it|on with it|into it|going|cracking); (i'm|i am|we're|) (all|) (ready|free|good|available) to (roll|rock|go|talk|chat|start|help|listen|take over); (start|begin) (the call|the transfer|the handover|); (yup|yep|yes|yeah|ok|okay) go; bring (them|him|her) right in;
    (oh|) (yes|yeah|yea|yep|yup|aye) (indeed|sure|absolutely|please|definitely|);
    sure (thing|); for sure; all right; alright; alrighty; righto; (i'm|we're|i am|we are|) (all|) ready (now|);
    absolutely; of course; certainly; definitely; affirmative; indeed; gladly; with pleasure; my pleasure;
    you bet; you got it; please do; do (so|it|that) (please|); by all means; right away; any time; anytime;
    good to go; on it; i'm on it; fine (by me|with me); sounds (good|great|fine|perfect) (to me|);
    (that|it|) works (for me|); (that|it|that's|it's|that is|it is) (fine|okay|ok|all right|good|great|perfect)
    (with me|by me|for me|); that's (fine|okay|ok|all right|good) (with me|by me|); it's (fine|okay|ok|all right)
    (with me|by me|); i (am|can|will|do); we (are|can); yes i (am|can|will|do); why not;
    (no|not a) problem (at all|); no worries; no doubt; (i|) don't see why not; (i|) can't wait;
    (i|) don't mind (at all|); (ready|) (when|whenever) (you|they) are (ready|); (ready|) (when|whenever)
    (you're|they're) ready; ready when you are; whenever; go (ahead|for it|right ahead); just go ahead;
    proceed; fire away; (i|) (will|can) do (that|it|); let's (go|do it|do this|talk|start|roll|get started|get going)
    (ahead|); let's hear {them}; let's have {them} (on|); let me (talk to|speak to|speak with|talk with|help) {them}; make it (so|happen); hit me; shoot;
    (put|patch|send|bring|connect|transfer|switch|forward|hook|plug|route|beam|pop|ping|shoot|sling|drop) {them}
    (through|thru|over|across|to me|my way|on through|right through|straight through|on over|right over|straight over|
    on over to me|over to me|right over to me|through to me|on through to me|straight through to me|with me);
    (put|bring|get|have|patch|hook|plug|pull|join) {them} (on|in|on the line|on in|right in|right on|in here|on with me|on the line with me);
    (connect|transfer|patch|hook|plug) {them} (up|); (pass|hand) {them} (over|over to me|right over|to me|my way|straight over|across to me);
    (put|patch|send|bring|connect|transfer) (through|thru|over) {them}; (bring|put|patch) (on|in) {them};
    let {them} (in|through|on); let's (get|bring|put|have|patch) {them} (on|in|through|over|on the line);
    (hand|pass|give|switch) {them} (over|to me|over to me|here); connect (us|me) (with them|to them|now|);
    (put|connect|patch) me (through|on|in) (to|with) {them}; (put|connect|patch) me (through|on|in);
    connect; connect away; (i'll|i will|i can|i could|we can|we'll|i'd be happy to|i'd love to|i'm happy to|i am happy to|i'm glad to|
    happy to|glad to|i'm ready to|i am ready to|ready to|i would love to|i want to|i'd like to) (take|handle|have|help|
    speak to|speak with|talk to|talk with|deal with|pick up|accept|answer|get|do|see) {them};
    (i'll|i will|i can|we can|happy to|glad to|ready to|i'm ready to|i'm happy to) (take over|talk|help|start|go|take it from here|
    step in|jump in|jump on|pick up|chat|listen|help out);
    i'd (love|be happy|be glad|be delighted) to; happy to; (i've|i have|i) got (this one|them|him|her|this call|this caller|the call);
    i'm (here|available|free|all ears|all yours|good to talk|game|in|up for it|happy to); i am (here|available|free|all yours|all ears);
    available; i accept (it|the call|the transfer|); accept (it|the call|the transfer|); accepted; take the call; i'm good to go;
    we're good to go; it's a (yes|go) (from me|); that's a (yes|go) (from me|); (a|) yes from me; green light;
    i'll be (happy|glad) to; bring it (on|); lay it on me; come on then; send away; go go go; consider it done;
    roger that; copy that go ahead; ten four; ready as i'll ever be; i was born ready; let them talk to me;
    now's (good|fine|a good time|perfect); now is (good|fine|a good time|perfect); i wouldn't mind (taking|having|handling|talking to|speaking to) {them}; (i'm|i am) all set to
    (take|talk to|speak to|handle) {them}; (i'm|i am) taking {them}; (now|this|that) works (for me|)
    """,
    connect="""
    (put|patch|bring|hook|plug|beam|send|let|get) {them} (right|straight|on|) (through|thru|in|over to me|through to me|my way|on the line|on); put (through|on) {them}; let's
    (have|get|bring) {them} (on|in|through|on the line); (just|) connect (us|me|them|him|her|the call|the caller|the customer); (put|connect|patch) me (through|on|in) (to {them}|);
    (hand|pass|give) {them} to me; let me (talk to|speak to|speak with|talk with) {them}; (i'll|i will|i can|i could|we can|we'll) (take|handle|have|speak to|speak with|talk to|talk
    with|pick up|accept|answer) {them} (now|myself|); (i'm|i am) (taking|ready to take|happy to take|all set to take) {them}; i'll talk to {them} now; go on then
    """,
    despite="""
    no; nah; nope; not at all; go on; (that's|it's) (fine|okay|ok|all right); (i|) don't mind; i (don't|didn't) (really|) want to , but; i'd rather not , but; i (really|) shouldn't ,
    but; i (was|am|were) (just|) (going|about) to (say no|decline|refuse|pass) , but; i (was|were) (just|) (going|about) to (send|pass|put|transfer|forward) {them} (on|over|through|)
    to (*|the *|my *) , but; (i|) (can't|cannot|can hardly|could never|couldn't) (say no|refuse|turn {them} down) (to {them}|to *|to * *|); (i|) wouldn't say no; if i (must|have to);
    (i|) don't (have|need) anything (else|better) to do; (i'm|i am) (a bit|quite|pretty|rather|kind of|) (busy|tired|swamped) , but; i'm not (in a meeting|driving|with a customer|with
    a client|with anyone); another (*|) one; (forget|never mind|skip) (about|) (the|my) (voicemail|mailbox|message|meeting|lunch|details); no need to (brief me|explain|repeat
    (it|that)|go over (it|that)|tell me) (again|more|any more|all that|); (don't|do not) (hang up on|cut off|drop|lose) {them}
    """,
    pause="""
    (hang|hold) on (a (second|sec|moment|tick)|) (please|); wait (a (second|sec|moment|tick)|) (please|); (just|) (one|a) (second|sec|moment|tick) (please|); (just|) give me
    (one|a|just a) (second|sec|moment|tick); uh; um; er; (let me|i'll|i) (just|) (close|shut|get|find|grab|put|move|turn|open|pick|sit) (the|my|a|to the|down) (*|); (let me|i'll|i)
    (just|) (put|turn|move) (the|my|this) * (down|off|away|over)
    """,
    resumed="""
    right; all right; alright; there; there we go; there we are; done; now; that's better; yes; yeah; i'm back; back now
    """,
    request="""
    (ok|okay|sure|) (can|could|will|would) you (please|just|kindly|go ahead and|) (put|connect|patch|send|transfer|bring|pass|hand|get)
    {them} (through|thru|over|on|in|up|to me|my way|on the line|over to me|) (please|now|);
    (can|could|will|would) you let {them} (in|through); why don't you (put|send|bring|patch|connect) {them} (through|over|on|in);
    (can|could|may) i (have|take|talk to|speak to|speak with|get) {them} (now|)
    """,
    before="""
    (i can|i do|can) hear you (fine|well|loud and clear|); i'm listening; copy; (i've|i have|i) (just|already|) (read|seen|got|checked|looked at|been through|heard) (it|this|that|the (notes|summary|case|file|ticket|account|details|story|background|history)); i remember {them}; (i'm|i am) familiar with (it|this|them|the (case|customer|caller|account|file)); standing by; wow; oh dear; oh my; (oh|) no trouble; (that's|it's) no (trouble|bother|problem); all good; fair enough; sure thing;
    hey; hey there; hi there; good (morning|afternoon|evening|day); oh; um; uh; er; erm; well; so; hmm; hm; ah; now; then; and; but; right; great;
    perfect; good; fine; nice; cool; excellent; lovely; awesome; brilliant; wonderful; super; i see; got it; got that; understood;
    i understand; gotcha; makes sense; noted; copy that; roger; (i|i've|we) (heard|got|have got|hear|have) (you|that|everything|all that|it all);
    sorry (about that|for the wait|); please; kindly; just; yeah so; i think; i guess; i said; like i said; you can; you may; feel free to;
    feel free; please feel free to; go ahead and; you're good to; thanks for (waiting|that|the briefing|the summary|the info|letting me know|
    the heads up|the update|the details|the background|holding|filling me in); this is * (speaking|here|); * (here|speaking); it's *;
    i'm back; that's me; it's me; speaking; this is (me|he|she) (speaking|); (i'm|i am|this is) the (supervisor|manager|team lead);
    i'm (all set|set|good|fine|listening|at my desk|back at my desk|at the computer|back); i am at my desk;
    i know (this|the|that) (customer|caller|account|case|one|client); i know (him|her|them);
    i (have|have got) (the|their|her|his|that|this) (file|account|order|notes|record|system|case|ticket|records|details|policy|screen|profile|dashboard)
    (open|up|ready|here|in front of me|on my screen|) (now|already|); i've got (the|their|her|his|that|this) (file|account|order|notes|record|system|case|ticket|records|details|policy|screen|profile|dashboard)
    (open|up|ready|here|in front of me|on my screen|) (now|already|); the (system|file|account|policy|mode|role|order|ticket|case) is (open|up|ready|fine|active);
    i'm in (the|) (system|policy system|account|crm); i'm logged in; i've read the (notes|file|ticket|case|policy);
    i (can|could) help (with that|with this|them|him|her|); i don't want to keep {them} waiting; no rush; i can't complain; if you (like|want|please);
    i'm not (too|that|very|so|) busy; that's (enough|all i need|clear); all clear; enough; got the picture; say no more; don't worry;
    poor (thing|guy|woman|lady); okay so; alright so; yes so; no need to wait; i have what i need;
    this is my (direct line|desk|line|phone|own line); actually; frankly; honestly; i (have|have got) (the|their|her|his|that|this) * (open|up|ready|here|in front of me) (in the
    system|on (the|my) screen|on screen|); i've got (the|their|her|his|that|this) * (open|up|ready|here|in front of me) (in the system|on (the|my) screen|on screen|); (i|i've) just
    (got|came|come|gotten) (out of|back from) (a|the|my) *; i've (just|) finished (my|the|that) *; i'm not busy
    """,
    after="""
    already;
    please; now; then; right now; right away; straight away; immediately; at once; quickly; quick; real; really; fast; today; asap; through; thru;
    here; too; as well; to me; with me; for you; it is; that is; sir; ma'am; mate; buddy;
    madam; dear; thanks; thank you; thanks a lot; thanks so much; thank you (very|so) much; very much; so much; a lot; cheers; great; perfect;
    (but|) (please|) (make it|keep it|be|) (quick|quickly|short|brief|fast); (but|and|) i (only|) have (only|just|about|) (a|one|two|three|five|ten|fifteen|a few|
    a couple of|some|plenty of|5|10|2|3) (minute|minutes|second|seconds|sec|moment|moments|time|mins|min); i've (only|) got (only|just|about|) (a|one|two|three|five|ten|fifteen|
    a few|a couple of|some|plenty of|5|10|2|3) (minute|minutes|second|seconds|sec|moment|moments|time|mins|min); i have time; i've got time; no rush; when you can; whenever you can;
    for sure; absolutely; of course; indeed; certainly;
    actually; myself; before my next (thing|call|meeting|appointment|one); (i've|i have) got (a few|five|ten|a couple of|two|some|fifteen|twenty) minutes; and tell {them} i'm
    (here|ready|glad|coming|on my way|right here); and tell {them} i'm sorry (she|he|they) had to wait; and tell {them} i'm sorry for the wait
    """,
    never="""
    no; not; never; nobody; none; don't; can't; cannot; won't; isn't; without; unless; if; until; later; before; after; out; away; busy; sick;
    voicemail; tomorrow; wrong; gone; nothing; unavailable; over; almost; hardly; barely; caller; customer; client; assistant; system; bot; off
    """,
    no=r"""
    (?:(?:oh|um|uh|er|well|sorry|ah|hi|hello|hmm|yeah) )*(?:no|nope|nah|negative|never|busy|(?:certainly|definitely|absolutely|of course|i'm afraid|afraid) not|not really)(?: (?:no|nope|nah|sorry|sir|ma'am|never|please|really|i'm afraid|thanks|thank you|way|not))*
    """.replace("\n", " "),
    refusal=r"""
    (?:i|we) (?:really |just |simply |honestly )?(?:can't|cannot|can not|couldn't|won't|will not|don't want|do not want|am unable|am not able|am not available|am not going)(?! (?:hear|understand|wait|see|complain|believe|remember|catch|make|quite|be long|keep|leave))(?: \S+)?;
    (?:i'm|i am|we're|we are) (?:unable|not able|not available|unavailable|not ready|not going|not the right|not interested|not comfortable|not at my desk|not free);
    not ready; (?:don't|do not) have (?:the |any )?time; have no time; not (?:right |just )?now; not today; not tonight; not at the moment; not this time;
    not possible; no(?: \|)? (?:thanks|thank you|way|chance|can't|i can't|i won't); another time; some other time; (?:answer is|i said|it's a|that's a) no;
    (?<!i'll )(?<!will )(?:call|ring|phone|try)(?: me| us| them)? (?:back |again )?(?:later|tomorrow|in (?:an|a|half|\d+|ten|five|twenty|thirty) \S+);
    (?:call|ring|phone) (?:me |us |them )?back; (?:try|ask|get|find|call) (?:someone|somebody|anyone) else;
    (?:don't|do not|please don't|never) (?:put|connect|transfer|send|patch) \S+; (?:i )?(?:decline|refuse|pass on this|have to pass|must decline|have to decline);
    (?:i'd|i would|we'd) (?:rather|prefer) not(?: \S+)?; not a good time; bad time; wrong (?:number|person); stop calling;
    (?:i'm|i am|we're|we are|too|very|really|quite|pretty|sorry|currently) busy; busy (?:right now|now|at the moment|today);
    (?:i'm |i am )?in a meeting; on another (?:call|line); (?:i'm|i am) driving; at lunch; on (?:my )?(?:lunch|break|leave)(?: break)?; tied up; swamped;
    off duty; out of (?:the )?office; not me; not my (?:department|job|call)
    """,
    no_refusal=r"""
    (?:can't|cannot|couldn't|won't|wouldn't) (?:say|tell) (?:\S+ )?no(?: to \S+)?; (?:no|not a) problems?(?: at all)?; no (?:worries|doubt|need to worry|trouble|issues?|rush); why not; (?:can't|cannot) wait; don't mind; i can't complain;
    (?:i'm|i am) not (?:too |that |very |so )?busy; i (?:don't want to|do not want to|can't|won't|don't) (?:keep|leave|let|make) (?:\S+ ){1,2}wait(?:ing)?
    """,
    wait=r"""
    (?:once|when|as soon as|till|until) (?:i|i'm|i've|i'd|my|the|this|we|we're|we've)(?: \S+)*; in (?:two|three|four|five|six|seven|eight|nine|ten|fifteen|twenty|thirty|\d+); (?:two|three|five|ten|couple of|few) (?:ticks|shakes|secs|mins|seconds|minutes); while i(?: \S+)*;
    (?:don't|do not|not|haven't|isn't|aren't|can't|i'm not)(?: \S+){0,4} yet; (?:hold|hang) (?:on|the line|tight|please)(?: \S+)?; please hold; (?<!on )hold; (?:just )?(?:a|one|another) (?:quick |little )?(?:sec|second|moment|minute|min|mo|tick); a couple (?:of )?(?:seconds|minutes|secs);
    (?:give|gimme|need|in|about|want) (?:me )?(?:a|an|one|two|three|five|ten|some|\d+) ?(?:more |few |couple of )?(?:sec|second|moment|minute|min|time|seconds|moments|minutes|mins|hour|hours);
    wait; not (?:quite |just )?(?:yet|ready yet); bear with me; stand ?by; almost (?:ready|there|done); nearly (?:ready|there|done); let me (?:just )?(?:finish|check|grab|get|see|think|look|find|open|pull up|log|close|wrap|put|first|call|ask)(?: \S+)*?;
    be right (?:back|with you|there); in a (?:bit|while|moment|minute|second|sec|few|jiffy|tick); momentarily; shortly; soon; first; before (?:you|that|i|we); patience
    """,
    elsewhere=r"""
    leave (?:it|that|this) (?:with|to) me; (?:see|do) what i can(?: do)?(?: \S+)*; (?:i'll|i will) see to (?:it|that|this);
    (?:put|patch|send|connect|transfer|pass|switch|forward|give|hand|route|direct|bring|move)(?: \S+){1,4}? (?:to|with|at) (?!me\b|us\b|here\b|my (?:line|desk|phone|station|screen|ext)\b|them\b|him\b|her\b|the (?:caller|customer|client)\b|mr\b|mrs\b|ms\b)\S+; (?:e mail|email|text|message|sms|slack) (?:me|us|it|them|him|her); (?:by|over|via) (?:e mail|text|mail|slack); my (?:cell|mobile|voice ?mail|inbox|assistant); (?:sit|sitting) this (?:one )?out; rain check; take (?:it|this|that) up with; (?:end|cancel|stop|kill|terminate|close) (?:it|this|that|them|the \S+); stop; cancel; (?:please )?(?:do not|don't)(?= \||$); (?:turn|wave|send|chase|scare) (?:them|him|her|it) (?:away|off|packing|back|on their way); (?:put|take|get|pull) (?:them|him|her|it) (?:off|down|back|away|out)(?: \S+)*; take (?:it|that) away; drop (?:the|that|this) (?:line|call); (?:free|let) (?:them|him|her) (?:up|off|be); pass (?:it|this|that|them|him|her) (?:on|up|by)(?: \S+)*; pass on (?:it|that|this|them|him|her)(?: \S+)*; (?:i'm|i am|we're|we are|i think we're) (?:all )?(?:done|finished|covered|out|sorted)(?: \S+)?; (?:i'm|but i'm) (?:covered|out); (?:that'll|that will|this will) (?:do|be all|be it); nothing (?:for me|else|more|today); (?:on my own|without me|by myself); have a (?:nice|good|great|lovely) \S+; move along; yes and no; yeah right; whatever; rather you; let (?:the|that) (?:caller|customer|client) (?:know|go|off)(?: \S+)*; (?:i've|i) got it from here; (?:on|next|this) (?:monday|tuesday|wednesday|thursday|friday|saturday|sunday|week|month|year); at (?:\S+ )?o'clock; ready (?:for (?:lunch|bed|home)|or not|to (?:go home|leave|hang up|quit)); (?:yeah|yes|sure) (?:no|nah|nope); you (?:do|answer|get|help|sort|deal with) (?:it|them|him|her|that|this);
    (?:to|through to|into|in) (?:my |the |our |his |her |their )?(?:voice ?mail|mailbox|billing|sales|support|reception|front desk|operator|queue|someone|somebody|another|other|next|tech \S+|accounts?|accounting|legal|hr|manager|boss|colleague|assistant|secretary|cell|mobile|extension|department)(?: \S+)?;
    let (?:them|him|her|it|the caller|this one) go; (?:i'm|i am|we're|we are) (?:all set|all good|good|fine|okay|ok|set)(?: \| )?(?: ?thanks| ?thank you| here| for now)*; hang up; take a message; take (?:their|his|her) (?:number|name|details);
    on hold; tell (?:them|him|her|the caller|the customer) \S+; have (?:them|him|her) (?:call|email|wait|try|send|write); send (?:them|him|her) (?:away|home|off|back|an?|to); get rid of; drop (?:them|him|her|the call|it); never ?mind;
    that's (?:all|it|everything)(?: \| )?(?: ?thanks| ?thank you| for now| from me)*; (?:release|disconnect|dismiss|park) (?:them|him|her|it|the caller|the call|the customer); you (?:can|may|could) (?:release|disconnect|dismiss|hang up)(?: \S+)?; cut (?:them|him|her|it) (?:loose|off); let (?:them|him|her) off(?: \S+)*;
    let (?!me\b|us\b|them\b|him\b|her\b)\S+ (?:have|take|handle|get|deal with|do) (?:them|him|her|it|this|that|the call|this one|that one); forget it; maybe(?: later| not)?; perhaps; depends; if; unless; not sure; unsure; tomorrow; later; after; instead; you (?:take|handle|keep|deal); (?:by|at) (?:email|noon|\d+); bye; goodbye; no thanks to
    """,
    question=r"""
    (?:\S+ ){0,3}(?:who|whom|whose|who's|what|what's|which|when|when's|where|where's|how|how's|why) (?!(?:you|not|they|don't)\b)\S+(?: \S+)*; (?:who|which|when|where|how|why); tell me(?: \S+)*; remind me(?: \S+)*; repeat(?: \S+)*;
    say (?:that|it) again; come again; (?:(?:yes|ok|okay|and|so|but|hi|hello) )*(?:is|are|was|were|did|does|has|have|had) (?:it|he|she|they|this|that|there|the|you|we) \S+(?: \S+)*; (?:can|could|would|will) you (?:tell|repeat|say|explain|give)(?: \S+)*
    """,
    machine=r"""
    (?:after|at|following|upon hearing|wait for) the (?:\S+ )?(?:beep|tone|signal); (?:record|recording) (?:a|your|an?other) message; (?:leave|record) (?:a|your|me a|us a|him a|her a)(?: \S+)?(?: voice)? ?message(?: for \S+)?(?: \|)? (?:and|we|i|he|she|they|with)(?: \S+)*;
    (?<!to )(?<!to the )(?<!to my )(?<!to your )(?<!into the )(?<!in the )(?:voice ?mail|mailbox|voice mailbox|answering machine)(?: box| system| service| inbox)? (?:of|for|belonging to|is full|has not been set up|that has not been|is not set up|is currently full);
    (?:reached|reach) (?:the |an |a |my |our )?(?:\S+ )?(?:\S+ )?(?:voice ?mail|mailbox|answering (?:machine|service)|automated (?:voice|answering)(?: \S+)*);
    (?:forwarded|transferred|redirected|sent|directed) to (?:an? |the )?(?:automated |automatic )?(?:voice|answering)(?: \S+)*; (?:the )?(?:person|party|number|customer|subscriber|wireless customer|mobile customer|caller) you(?:'re| are| have| were|'ve)? (?:called|calling|dialed|dialled|trying to (?:reach|call))(?: \S+){0,2}? (?:is|are|cannot|can't|has|does|isn't)(?: not| currently| temporarily| either)*(?: (?:available|unavailable|in service|accepting|be|been|busy|answering|reachable|take|switched|outside|disconnected|have|able))(?: \S+)*;
    mailbox is (?:full|not)(?: \S+)*; (?:press|dial|hit) (?:\S+|the \S+ key) (?:to leave|for more options|to record|when you(?:'re| are) (?:done|finished))(?: \S+)*; when you(?:'re| are)? (?:have )?(?:done|finished)(?: recording)?(?: \|)? (?:you may )?(?:hang up|press)(?: \S+)*
    """,
    maybe_machine=r"""
    (?:offices?|shop|store|branch|lines?|we) (?:is|are) (?:now |currently |all )?closed; (?:no one|nobody|no-one) (?:is|can)(?: \S+)*; cannot be completed(?: \S+)*; know what to do; (?:reached|called) (?:us )?(?:outside|after)(?: \S+)*;
    welcome to; (?:thanks|thank you) for (?:calling|your call); leave (?:me |us |him |her )?(?:a|your)(?: short| brief| detailed)? (?:voice ?)?(?:message|name|number)(?: \S+)*; (?:not|n't) (?:currently |presently )?(?:available|able to (?:take|answer|come))(?: \S+)*; unavailable; unable to (?:take|answer|come)(?: \S+)*;
    (?:can't|cannot|can not) (?:come to|get to|answer|take) (?:the|my|your) (?:phone|call); you(?:'ve| have)? reached; (?:get|getting|be) back to you; (?:call|calling|return)(?: you| your call)? (?:back|as soon as)(?: \S+)*; return your call; away from (?:my|the|his|her) (?:desk|phone);
    your call is (?:very )?important(?: \S+)*; (?:office|business|opening|working) hours; voice ?mail; mailbox; the beep; (?:is|we are|we're) (?:currently )?closed; as soon as (?:i|we|possible)(?: \S+)*; sorry (?:i|we) missed your call
    """,
    reached=r"you(?:'ve| have)? reached (?:the |an? |my |our )?(?:\S+ ){0,2}(?:voice ?mail|mailbox|answering (?:machine|service))",
    offer=r"(?:want|wanna|wish|care|prefer|like)(?: me)? to (?:leave|pass|take)(?: \S+)*; (?:can|could|may|shall|should|do you want me to) (?:i|you|we) (?:take|leave|pass|give)(?: \S+)*; (?:leave|record) (?:a|your|the) message with (?:me|us)(?: \S+)*; i (?:can|could|will|\'ll) (?:take|pass)(?: \S+)*",
    person=r"""
    (?:how|what) (?:can|may|could|do) (?:i|we) (?:help|do|get|assist|have)(?: \S+)*; (?:can|may) i help(?: \S+)*; who(?:'s| is| am i) (?:this|calling|that|speaking|there|it)(?: \S+)*; i can (?:take|help|handle|answer)(?: \S+)*; i'll take it; what(?:'s| is) (?:up|going|this|it)(?: \S+)*;
    speaking; hello hello; yes hello; (?:i'm|this is) (?:covering|filling in|standing in)(?: \S+)*; go ahead; what do you (?:need|want)
    """,
    screening=r"""
    (?:before|so that) (?:your|the|this) call(?: \S+){0,4} (?:through|connected|put)(?: \S+)*; tell us who you are;
    virtual assistant; automated assistant; (?:call|spam|robocall) (?:filter|blocker)\w*; (?:call|calls|number|phone|line)(?: \S+){0,3} (?:filtered|protected|screened); (?:say|state|tell me|give me) (?:your name|who you are|who(?:'s| is) calling); identify yourself; before i (?:can )?(?:connect|put|transfer|patch); (?:prove|confirm|verify)(?: \S+){0,4} (?:robot|human); (?:call |)screen(?:ing|ed|s)?(?: \S+)*; (?:say|state|tell me|record|give|provide|please say|please state)(?: \S+){0,2} (?:your )?name(?: \|)?(?: and(?: \|)?)? (?:why|the reason|reason|what|the purpose|purpose)(?: \S+)*; (?:say|state|record|tell me)(?: \S+){0,3} (?:name|reason)(?: \S+){0,4} (?:call|calling); who(?:'s| is) calling and why;
    (?:see|check) if (?:this person|they|he|she|the person|\S+) (?:is|are|'s) available; (?:using|uses) (?:a |an )?(?:virtual assistant|call assist\S*|automated assistant)(?: \S+)*; reason for (?:your call|calling)(?: \S+)*; (?:after|at) the (?:tone|beep) (?:say|state) your name(?: \S+)*
    """,
    hold=r"""
    hold please; estimated wait(?: \S+)*; (?:wait|waiting) (?:time )?(?:is|will be)(?: \S+)*; (?:transferring|connecting|putting) you(?: \S+)*;
    (?:press|dial|say) (?:\S+|\S+ \S+) (?:for|to (?:speak|reach|talk|connect|continue|hear|be))(?: \S+)*; for (?:\S+ ){1,4}?(?:\| )?(?:press|dial) \S+; (?:please )?(?:stay|remain) on (?:the )?line(?: \S+)*; (?:please )?hold(?: the line)?(?: \| | )(?:while|for|we|your|until|and)(?: \S+)*;
    all (?:of )?our (?:\S+ )?(?:agents|representatives|operators|lines|advisors|staff|specialists|associates)(?: \S+)*; next available(?: \S+)*; (?:your )?(?:position|place|number) in (?:the )?(?:queue|line)(?: \S+)*; (?:estimated|expected|average) wait(?:ing)? time(?: \S+)*; your call will be answered(?: \S+)*;
    thank you for (?:holding|your patience|calling \S+(?: \S+){0,3} \| (?:your call|please listen|for|if|all|press))(?: \S+)*; please listen (?:carefully|closely)(?: \S+)*; menu options(?: \S+)*; if you know (?:the|your party's) extension(?: \S+)*; (?:one moment while i|please wait while (?:i|we)) (?:connect|transfer|try)(?: \S+)*; dial the extension(?: \S+)*; (?:main|following) (?:menu|options)(?: \S+)*; you are (?:caller )?number(?: \S+)*; please hold
    """,
)
