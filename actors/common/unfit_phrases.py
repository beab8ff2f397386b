"""Words by which an assistant's talk begins, in the languages that models speak: data of `spoken_check`.

Each pattern is matched at the beginning of a sentence, without case. What these lists lack is found by shape:
see `spoken_check`.
"""

from __future__ import annotations

from typing import Final

REFUSALS: Final = (
    # English
    r"(?:(?:but )?(?:i'?m|i am)|we(?:'re| are)) (?:(?:very|so|really|truly|deeply|terribly) )?(?:sorry|"
    r"afraid|unable|not (?:able|allowed|permitted|comfortable|going to|in a position|sure (?:what|how|"
    r"if i)))",
    r"(?:unfortunately|regrettably|sadly|however|apologies)[,!. ]+(?:but )?(?:i|we|as an?)\b",
    r"(?:i|we) (?:can'?t|can ?not|could ?n'?t|could not|won'?t|will not|must (?:decline|refuse)|decline|"
    r"refuse|apologi[sz]e|regret|(?:do not|don'?t) (?:have|see|feel))\b",
    r"my apologies|sorry\b|apologies\b",
    r"(?:can'?t|can ?not|unable to|not able to|won'?t) (?:help|assist|comply|do)\b",
    r"it (?:seems|looks|appears)(?: like| that)? (?:there|you|no |the (?:transcript|conversation))",
    r"there (?:is|was) (?:nothing|no (?:transcript|conversation|call|information)) "
    r"(?:to|in|for|provided|available)",
    r"(?:request|access|content) (?:denied|refused|blocked|filtered)|note(?: that)?:|disclaimer",
    r"as an? (?:ai|artificial|large language|language model|assistant|responsible)\b",
    r"(?:that|this|it) (?:is|falls|goes|lies) (?:something (?:that )?i (?:can'?t|won'?t|cannot|will not)|"
    r"(?:outside|beyond|against) (?:of )?(?:my|what i)\b)",
    r"(?:that|this|it)(?:'s| is) (?:outside|beyond|against) (?:of )?(?:my|what i)\b",
    r"my (?:guidelines|programming|safety)\b",
    r"i (?:don'?t|do not) (?:think|believe|feel) (?:that )?i (?:should|can|could)\b",
    r"i must (?:\w+ )?(?:decline|refuse)",
    r"(?:regrettably|unfortunately|sadly),? (?:that|this|it)\b.{0,30}\bi\b",
    r"this (?:request|content|conversation) (?:violates|goes against|can ?not|can't)",
    r"(?:there is |i see )?no (?:transcript|conversation) (?:was|is|has|to|provided)",
    r"please (?:provide|share|paste) (?:me |us |with )?.{0,20}(?:transcript|conversation|text|context)",
    r"the (?:transcript|conversation) (?:is|appears|seems) (?:to be )?(?:empty|missing|incomplete)",
    # German, Dutch, Afrikaans
    r"(?:es )?tut mir (?:sehr |wirklich )?leid|(?:ich )?entschuldig|verzeihung|ich bedau",
    r"bedauerlicherweise|leider (?:kann|darf|konnte|bin|habe|ist es mir) (?:ich|nicht)",
    r"ich bin (?:leider )?nicht (?:in der lage|befugt)",
    r"ich (?:kann|darf|werde|möchte) (?:dir|ihnen|das|diese[nsmr]?|hier|dabei|leider|keine?n?|nicht)\b",
    r"als (?:ki|künstliche|sprachmodell|ai|taalmodel)\b",
    r"(?:het )?spijt me|helaas (?:kan|mag) ik|ik kan (?:je|u|dat|dit|hier|helaas|geen|niet)\b",
    r"ik ben niet in staat|mijn excuses|excuses|jammer|ek is jammer|ek kan nie",
    # French, Spanish, Catalan, Portuguese, Italian, Romanian
    r"(?:je suis |nous sommes )?(?:vraiment |sincèrement |profondément )?désolée?s?\b|je m'excuse",
    r"je regrette|je ne (?:peux|puis|suis pas (?:en mesure|capable|autorisé))|malheureusement,? je",
    r"toutes mes excuses|pardon|en tant qu(?:e|')\s?(?:ia|assistant|intelligence|modèle)",
    r"lo (?:siento|lamento)|lamento|(?:me |le |les |te )?(?:disculp|pido disculpas)|mis disculpas",
    r"perd[oó]n|no (?:puedo|me es posible|estoy en condiciones|estoy autorizad|soy capaz)",
    r"(?:desafortunadamente|lamentablemente|por desgracia),? no",
    r"como (?:un |una )?(?:modelo|ia|inteligencia|asistente|assistente|inteligência)\b",
    r"ho sento|em sap greu|no puc\b|síntoo|non podo|sentitzen dut|barkatu|ezin dut",
    r"(?:eu )?(?:sinto muito|sinto|lamento|peço desculpas?)|desculp",
    r"(?:infelizmente|lamentavelmente),? (?:eu )?não",
    r"(?:eu )?não (?:posso|consigo|me é possível|estou autorizad|sou capaz)",
    r"(?:mi |sono )?(?:dispiace|spiace|spiacente|scuso|rincresce)|scusa",
    r"(?:purtroppo,? )?non (?:posso|sono in grado|mi è possibile|riesco)\b",
    r"come (?:modello|ia|intelligenza|assistente)\b",
    r"îmi pare|ne pare rău|scuze|îmi cer|(?:din păcate,? )?nu (?:pot|sunt în măsură)\b",
    r"ca (?:model|asistent)\b",
    # Swedish, Danish, Norwegian, Icelandic, Finnish, Estonian, Latvian, Lithuanian
    r"(?:jag (?:är )?|jeg )?(?:ledsen|beklag(?:ar|er)|beklageligvis)",
    r"(?:tyvärr|desværre|dessverre|beklageligvis)[ ,]+(?:kan|får|må|er|är) (?:jag|jeg)",
    r"(?:jag|jeg) kan (?:tyvärr|desværre|dessverre|inte|ikke)\b|förlåt|ursäkta|undskyld|unnskyld",
    r"det er jeg (?:lei|ked)|(?:jeg er )?(?:lei meg|ked af)",
    r"som (?:en )?(?:ai|språkmodell|sprogmodel|kunstig)|því miður|fyrirgefðu|afsakið|ég get ekki",
    r"(?:olen )?pahoillani|valitettavasti (?:en|minä)|(?:minä )?en (?:voi|pysty|osaa)\b|anteeksi",
    r"(?:mul on |mul )?kahju|vabanda|kahjuks|ma ei saa\b|(?:man )?(?:ļoti )?žēl|atvaino|diemžēl",
    r"es nevaru|(?:man )?(?:labai )?gaila|atsipraš|apgailestau|deja[ ,]+(?:aš|ne)|(?:aš )?negaliu",
    # Polish, Czech, Slovak, Slovene, Croatian, Serbian, Russian, Ukrainian, Bulgarian, Macedonian
    r"(?:bardzo |niezmiernie )?(?:mi |jest mi )?(?:bardzo )?przykro|przepraszam|niestety,? (?:nie|ja)",
    r"nie (?:mogę|jestem w stanie|potrafię)\b|jako (?:model|ai|sztuczna|asystent|jazykový|umělá)",
    r"(?:velmi )?(?:je mi (?:to )?(?:velmi )?(?:líto|ľúto))|omlouvám|ospravedlňujem|promiňte|prepáčte",
    r"lituji|(?:bohužel|bohužiaľ|žal|nažalost|žao mi je)\b.{0,30}\b(?:ne|není|nie)",
    r"(?:s tím |vám )?(?:nemohu|nemůžu|nemôžem)|(?:nedokáž|nejsem schop|nie som schop)|žal mi je",
    r"žao mi je|nažalost|oprostite|izvinite|ne (?:mogu|morem)\b",
    r"(?:к сожалению|увы)[, ]|извин|прост(?:и|ите)\b|прош[уе]\w* прощения|сожале",
    r"(?:мне )?(?:очень )?жаль|я (?:не (?:могу|в состоянии|имею|умею)|вынужден)|не могу\b",
    r"как (?:ии|языковая|искусственн|ассистент)",
    r"на жаль|вибач|перепрош|пробач|мені (?:дуже )?шкода|(?:я )?не (?:можу|в змозі)\b",
    r"як (?:ші|мовна|штучн)|съжалявам|извинявам|за съжаление|не мога\b|жал ми е|за жал|не можам",
    r"жао ми је|нажалост|не могу\b",
    # Hungarian, Greek, Turkish, Albanian, Armenian, Georgian, Azerbaijani, Kazakh, Uzbek, Mongolian
    r"sajnál|elnézést|bocsánat|(?:sajnos )?nem (?:tudok|tudom|áll módomban|segíthetek)\b",
    r"sajnos,? (?:ezt )?nem|λυπ(?:άμαι|ούμαι|άμε)|συγγνώμη|ζητώ συγγνώμη|δυστυχώς|δεν μπορώ",
    r"(?:çok )?üzgünüm|maalesef|ne yazık ki|özür dile|kusura bakma",
    r".{0,80}(?:edemiyorum|edemem|olamıyorum|olamam|veremem|yapamam|yapamıyorum)\b|më vjen keq",
    r"fatkeqësisht|nuk mund|ներողություն|ցավում եմ|չեմ կարող|ბოდიში|ვწუხვარ|სამწუხაროდ|არ შემიძლია|üzr",
    r"təəssüf|кешіріңіз|өкінішке|kechirasiz|afsuski|уучлаарай",
    # Arabic, Persian, Urdu, Hebrew
    r"(?:أنا )?(?:آسف|اسف|أعتذر|اعتذر|نأسف|نعتذر|متأسف)|عذر|المعذرة|للأسف|مع الأسف",
    r"لا (?:أستطيع|استطيع|يمكنني|أقدر)|(?:لست|غير) قادر|بصفتي|كنموذج|متأسفم|متاسف|ببخشید|پوزش|معذرت",
    r"با عرض|عذرخواه|(?:من )?نمی[\u200c ]?توانم",
    r"معاف|افسوس|مجھے افسوس|میں .{0,40}(?:نہیں کر سکت|قاصر)|(?:אני )?(?:מצטער|מתנצל)|סליחה|לצערי",
    r"(?:אני )?(?:לא (?:יכול|מסוגל)|איני)",
    # Hindi, Marathi, Nepali, Bengali, Gujarati, Punjabi, Tamil, Telugu, Kannada, Malayalam, Sinhala
    r"(?:मुझे |मैं )?(?:माफ़|माफ|क्षमा|खेद|अफ़सोस|अफसोस)|मैं .{0,60}(?:नहीं कर सकत|असमर्थ|नहीं दे सकत|नहीं हूँ|नहीं हूं)",
    r"मला .{0,40}खेद",
    r"(?:আমি )?(?:দুঃখিত|ক্ষমা|মাফ)|আমি .{0,60}(?:পারছি না|পারব না|পারি না)|મને .{0,20}માફ|માફ|ક્ષમા|દિલગીર",
    r"(?:ਮੈਨੂੰ )?(?:ਮਾਫ਼|ਮਾਫ|ਮੁਆਫ਼|ਅਫ਼ਸੋਸ)",
    r"மன்னிக்க|வருந்துகிறேன்|என்னால் .{0,60}(?:முடியாது|இயலாது)|(?:నన్ను )?క్షమించ|నేను .{0,60}లేను|ಕ್ಷಮಿಸ|ക്ഷമിക്ക|സമ",
    r"සමාවෙන්න",
    # Thai, Lao, Khmer, Burmese, Vietnamese, Indonesian, Malay, Tagalog
    r"ขอโทษ|ขออภัย|เสียใจ|(?:ฉัน|ผม|ดิฉัน|เรา)(?:ไม่สามารถ|ไม่|ขอ)|ไม่สามารถ|ຂໍອະໄພ|ຂໍໂທດ|សូមអភ័យទោស|សុំទោស|តោင်း",
    r"တောင်းပန်",
    r"(?:tôi )?(?:rất )?(?:xin lỗi|rất tiếc|tiếc là)|tôi không (?:thể|được)|là một (?:ai|mô hình|trợ lý)",
    r"(?:mohon |saya (?:minta|mohon) )?maaf",
    r"(?:saya )?tidak (?:dapat|bisa|boleh) (?:membantu|memberi|mem)|sebagai (?:ai|model|asisten)",
    r"paumanhin|pasensya|ikinalulungkot|hindi ko (?:kaya|po|maaari)",
    # Swahili, Amharic, Zulu, Irish, Welsh, Esperanto
    r"samahani|siwezi|naomba radhi|ይቅርታ|አዝናለሁ|ngiyaxolisa|tá brón|mae'n ddrwg|bedaŭr|mi bedaŭras",
    # Japanese, Chinese, Korean
    r"(?:大変|誠に)?(?:申し訳|恐れ入り|すみません|すいません|ごめん|残念ながら|恐縮|あいにく)",
    r".{0,60}(?:できかねます|お手伝い(?:は)?できません|対応できません|お答えできません|お応えできません|"
    r"応じられません|いたしかねます)",
    r"(?:非常|很|十分|真的)?(?:抱歉|对不起|對不起|不好意思|遗憾|遺憾)",
    r"(?:作为|作為)(?:一个|一個|一名|一款|一种)?(?:人工智能|ai|语言模型|語言模型|助手|大)",
    r"我(?:无法|無法|不能|没法|沒法|没有办法|沒有辦法|不可以|暂时无法)",
    r"(?:无法|無法)(?:提供|协助|協助|完成|回答|满足|滿足)",
    r"죄송|미안|유감|.{0,40}(?:드릴 수 없|도와줄 수 없|답변할 수 없)",
)

SMALL_TALK: Final = (
    r"(?:hello|hi|hey|greetings|good (?:morning|afternoon|evening|day)|dear|welcome)\b|what can i do\b",
    r"(?:i'?m|i am) (?:here|happy|glad|ready|just|an? (?:ai|assistant|virtual)|your)\b",
    r"(?:how|what) (?:can|may|could) i\b|(?:please )?(?:let me know|feel free|don'?t hesitate)",
    r"please let\b|(?:i )?hope (?:this|that|it|you)|is there anything",
    r"(?:i'?d be |i would be )?(?:happy|glad) to (?:help|assist)|thanks?\b|thank you|you'?re welcome",
    r"have a (?:great|nice|good)|would you like|do you (?:want|need|have)",
    r"if you (?:need|have|would|want|'d|require|like)|(?:best|kind|warm) regards|sincerely|good luck",
    r"(?:great|good) question|i can (?:help|assist)\b|i understand\b",
    r"(?:hallo|guten (?:tag|morgen|abend)|grüß|sehr geehrte|liebe[rs]?|willkommen|servus)\b|moin[,!]",
    r"(?:wie|womit|was) kann ich|ich (?:bin|helfe|stehe) (?:hier|gerne?|bereit|da|ihnen)|ich hoffe",
    r"lass(?:en sie)? (?:es )?mich|falls (?:du|sie)\b|wenn (?:sie|du) (?:weitere|noch|fragen)",
    r"vielen dank|danke|kann ich (?:ihnen|dir)|(?:mit )?freundliche|gern geschehen|hoi\b",
    r"goede(?:morgen|middag|navond|ndag)|goeie|beste\b|(?:hoe|waarmee|waar) kan ik",
    r"ik ben (?:hier|er|blij)|ik hoop|dank|graag gedaan|laat (?:het )?me|als u\b",
    r"(?:bonjour|bonsoir|salut|chère?|bienvenue)\b|(?:comment|en quoi|que) puis-je",
    r"je suis (?:là|ici|à votre|prêt)|n'hésitez|j'espère|merci|puis-je|si vous avez|souhaitez-vous",
    r"voulez-vous|avez-vous",
    r"hola\b|buen[oa]s? (?:d[ií]as?|tardes|noches)|estimad|bienvenid",
    r"(?:estoy|soy) (?:aquí|para|listo|un)\b|[¿]?\s*(?:en qué|cómo|con qué) puedo|espero que",
    r"(?:muchas )?gracias|no dude|si (?:necesita|tiene|desea|quiere)|encantad|olá|oi[,!]|bom dia",
    r"boa (?:tarde|noite)|prezad|car[oa] (?:senhor|supervisor|colega|cliente|collega)",
    r"(?:como|em que) posso|estou (?:aqui|à|pront)|(?:muito )?obrigad|se (?:precisar|tiver)",
    r"fico (?:à|feliz)|ciao|salve|buon(?:giorno|asera)|gentile (?:signor|client|super|coll)",
    r"(?:come|in (?:che )?cosa|in che modo) posso|sono (?:qui|lieto|pronto)|spero che|grazie",
    r"se (?:ha|hai|avete|desidera)\b|resto a|hola|bon dia|bună|stimat|(?:cu ce|cum) (?:vă |te )?pot",
    r"sunt aici|sper că|mulțumesc",
    r"hej\b|hei\b|hallå|god (?:morgon|dag|kväll|morgen|aften|kveld)|bästa\b|kære|kjære",
    r"(?:hur|vad|hvordan|hvad|hva) kan (?:jag|jeg)|(?:jag|jeg) (?:är|finns|er) (?:här|her)",
    r"(?:jag|jeg) (?:hoppas|håber|håper)|tack(?:[,!]| för| så)|takk?(?:[,!]| for)|halló|moi\b|terve",
    r"hyvää (?:päivää|huomenta|iltaa)|(?:kuinka|miten|missä) voin|olen täällä|toivottavasti|kiitos",
    r"tere\b|kuidas saan|labdien|sveiki|kā es varu|laba diena|kaip galiu|ačiū|paldies",
    r"cześć|wita[mj]|dzień dobry|dobry wieczór|szanown|(?:w czym|jak) mog[ęe]|jestem (?:tu|tutaj|gotow)",
    r"mam nadzieję|dzięk|jeśli (?:masz|potrzebujesz)|daj znać|dobrý (?:den|deň|večer)|ahoj|zdravím|vážen",
    r"(?:jak|s čím|čím|ako) (?:vám )?(?:mohu|můžu|môžem)|jsem (?:tu|zde|připraven)|som tu|doufám|dúfam",
    r"děkuj|ďakujem|(?:kako|čime) (?:vam )?(?:mogu|lahko)|bok[,!]|zdravo|pozdravljeni|dobar dan",
    r"здравствуйте|привет|добр(?:ый|ого|ое|ий) |уважаем|(?:чем|как) (?:я )?(?:могу|вам)",
    r"я (?:здесь|готов|рад)|надеюсь|спасибо|рад[а]? помочь|если (?:у вас|вам)|обращайтесь|дайте знать",
    r"вітаю|привіт|(?:чим|як) (?:я )?можу|я тут|сподіва|дякую|здравейте|как мога|с какво мога|благодаря",
    r"здраво|како могу",
    r"üdvözl|szia|jó (?:napot|reggelt|estét)|(?:miben|hogyan) segít|itt vagyok|remélem|köszön|γεια",
    r"καλημέρα|καλησπέρα|χαίρετε|πώς μπορώ|σε τι μπορώ|είμαι εδώ|ελπίζω|ευχαριστώ|merhaba|selam|günaydın",
    r"iyi (?:günler|akşamlar)|sayın|(?:size )?nasıl yardım|(?:ben )?buradayım|umarım|teşekkür",
    r"yardımcı olabil|përshëndetje|բարև|გამარჯობა|salam[,!]|сәлем|assalom|сайн байна",
    r"مرحب|أهلا|اهلا|السلام عليكم|(?:صباح|مساء) (?:الخير|النور)|عزيزي|كيف (?:يمكنني|أستطيع|أساعد|يمكن)",
    r"بماذا|أنا هنا|آمل|أتمنى|شكر[اً]|يسعدني|هل (?:تريد|تود|يمكنني|هناك)|سلام|درود|(?:چگونه|چطور) می",
    r"من اینجا|امیدوارم|ممنون|با تشکر|ہیلو|شکریہ|میں (?:آپ کی|یہاں|حاضر)|שלום|היי",
    r"(?:איך|במה|כיצד) (?:אני |אוכל )?(?:יכול|אפשר|לעזור)|אני כאן|תודה",
    r"नमस्|हैलो|हेलो|प्रिय|मैं (?:यहाँ|यहां|आपकी)|(?:मैं )?(?:आपकी )?(?:कैसे|क्या) .{0,20}(?:मदद|सहायता)|धन्यवाद",
    r"शुक्रिया|आशा है|उम्मीद है|क्या (?:मैं|आप)|নমস্কার|হ্যালো|আমি (?:এখানে|আপনার|কীভাবে)|কীভাবে|ধন্যবাদ|আশা করি",
    r"நான் .{0,30}உதவ|வணக்கம்|நன்றி|నమస్|నేను .{0,30}సహాయ|ధన్యవాద|નમસ્|ನಮಸ್|നമസ്|ਸਤ ਸ੍ਰੀ|ਨਮਸ|ආයුබෝවන්",
    r"สวัสดี|(?:มีอะไรให้|ให้)?(?:ฉัน|ผม|ดิฉัน)?ช่วย(?:อะไร|เหลือ)|มีอะไรให้|ยินดี|ขอบคุณ|หวังว่า|xin chào|chào",
    r"kính (?:gửi|chào)|tôi (?:có thể giúp|ở đây|sẵn sàng)|bạn (?:cần|có)|cảm ơn|hy vọng|halo\b|hai[,!]",
    r"selamat |yang terhormat|apa yang (?:bisa|dapat) saya|bagaimana saya|ada yang bisa",
    r"saya (?:di sini|siap|senang)|semoga|terima kasih|kumusta|magandang|paano (?:kita|ko|po)|salamat",
    r"habari|hujambo|karibu|ninaweza|asante(?:[,!]| sana| kwa)|សួស្តី|ສະບາຍດີ|မင်္ဂလာပါ|ሰላም|sawubona|dia duit",
    r"saluton",
    r"こんにち|こんばんは|おはよう|はじめまして|お世話に|何か(?:お|ご|手伝)|どのよう(?:な|に)|いかが",
    r"ご(?:質問|不明)|お(?:手伝い|役に立)|ありがとう|よろしく|お気軽|何なりと|いつでも|你好|您好|嗨",
    r"哈[喽囉]|(?:早上|下午|晚上|大家)好|尊敬的|亲爱的|親愛的",
    r"(?:请问)?(?:有什么|有什麼|我能|我可以|如何|怎么|怎麼).{0,12}(?:帮|幫|为您|為您)",
    r"我(?:是一|在这|在這|很(?:乐意|樂意|高兴|高興)|随时|隨時)|希望(?:这|這|以上|对|對)|谢谢|謝謝",
    r"如果(?:您|你)|如有|请(?:随时|告诉我)|請(?:隨時|告訴我)|안녕|여보세요|(?:무엇을|어떻게) 도와",
    r"제가 .{0,10}도와|감사|궁금한|언제든|도움이 (?:필요|되)",
)

PREAMBLES: Final = (
    r"(?:sure(?: thing)?|certainly|of course|absolutely|okay|ok|alright|all right|got it|understood|"
    r"noted|no problem|great|perfect|yes|definitely|gladly|happy to)\s*[,!.:;—–-]",
    r"here(?:'s| is| are| you go)\b|below (?:is|you)|the following\b",
    r"this is (?:a|the|your|my) (?:brief|summary|concise|short)|as (?:requested|instructed)[,:]",
    r"(?:the |call |supervisor |caller |concise |short |quick )*(?:briefing|summary|recap|"
    r"overview)(?: (?:of|for) [^.:!?]{1,40})?\s*[:：—–]",
    r"to summari[sz]e[,:]|in summary[,:]",
    r"(?:user|assistant|human|ai|bot|system|model)\s*:|assistant(?:final|analysis|commentary)",
    r"(?:klar|gerne?|natürlich|selbstverständlich|sicher|okay|verstanden|in ordnung|alles klar|"
    r"ja)\s*[,!.:–-]",
    r"hier (?:ist|sind|kommt|is|zijn|volgt)\b|nachfolgend|im folgenden|nachstehend",
    r"(?:kurz)?(?:zusammenfassung|briefing|übersicht|lagebericht)[^.:!?]{0,30}[:–]",
    r"(?:natuurlijk|zeker|prima|oké|begrepen|graag|uiteraard)\s*[,!.:]|hieronder",
    r"samenvatting[^.:!?]{0,30}:",
    r"bien sûr|(?:certainement|absolument|d'accord|entendu|très bien|oui|avec plaisir)\s*[,!.:]|voici",
    r"voilà|ci-dessous|(?:résumé|synthèse|briefing)[^.:!?]{0,30}:",
    r"(?:claro|por supuesto|desde luego|entendido|de acuerdo|con gusto|seguro|sí|com certeza|certamente|"
    r"sim|perfeito|certo|va bene|sì|naturalmente|volentieri|perfetto|capito|certamente|desigur|sigur|"
    r"bineînțeles|da)\s*[,!.:]",
    r"aquí (?:está|tiene|tienes|va|le|te)|a continuación|aqui (?:está|vai|estão)|a seguir|segue\b|ecco",
    r"(?:qui )?di seguito|iată|mai jos",
    r"(?:resum[eo]n?|informe|riepilogo|riassunto|sintesi|rezumat)[^.:!?]{0,30}:",
    r"(?:självklart|visst|absolut|javisst|selvfølgelig|naturligvis|klart|ja|jo|toki|tietysti|selvä|"
    r"kyllä|hyvä on)\s*[,!.:]",
    r"här (?:är|kommer)|her (?:er|kommer)|nedan\b|nedenfor|tässä|alla on",
    r"(?:sammanfattning|sammendrag|resumé|yhteenveto|kokkuvõte|kopsavilkums|santrauka)[^.:!?]{0,30}:",
    r"(?:oczywiście|jasne|pewnie|dobrze|rozumiem|tak|jistě|samozřejmě|dobře|ano|rozumím|jasně|isteže|"
    r"áno|seveda|naravno|svakako)\s*[,!.:]",
    r"oto (?:podsum|streszcz|krótk|zwięz|opis|inform|brief|skrót)|poniżej|zde je|tady je|níže|tu je",
    r"(?:podsumowanie|shrnutí|souhrn|zhrnutie|povzetek|sažetak)[^.:!?]{0,30}:",
    r"(?:конечно|хорошо|разумеется|понял|понятно|да|безусловно|звичайно|звісно|добре|так|разбира се|"
    r"наравно|свакако)\s*[,!.:]",
    r"вот\b|ось\b|ето\b|ниже\b|нижче\b",
    r"(?:краткое |краткая |короткий )?(?:резюме|содержание|сводка|брифинг|підсумок|"
    r"обобщение)[^.:!?]{0,30}[:—]",
    r"(?:természetesen|persze|rendben|igen|βεβαίως|φυσικά|σίγουρα|ναι|εντάξει)\s*[,!.:]|íme",
    r"itt (?:van|az)|összefoglal[^.:!?]{0,30}:|ορίστε|ακολουθεί|παρακάτω|εδώ είναι",
    r"περίληψη[^.:!?]{0,30}:|(?:tabii|elbette|tamam|peki|evet|memnuniyetle)\b[^.!,:]{0,10}[,!.:]|işte\b",
    r"aşağıda|özet[^.:!?]{0,30}:",
    r"(?:بالتأكيد|بالطبع|طبع[ًا]*|حسن[ًا]*|نعم|أكيد|حاضر|تمام[ًا]*|حتم[ًا]*|البته|بله|باشه|یقین[ًا]*|"
    r"ضرور)\s*[,،!.:]",
    r"إليك|اليك|هذا (?:ملخص|هو الملخص)|فيما يلي|ملخص[^.:!؟]{0,30}:|در (?:اینجا|ادامه)",
    r"این (?:خلاصه|یک خلاصه)|خلاصه[^.:!؟]{0,30}:|یہ (?:رہا|ہے)|(?:בטח|כמובן|בהחלט|בסדר|כן)\s*[,!.:]|הנה",
    r"להלן|סיכום[^.:!?]{0,30}:",
    r"(?:ज़रूर|जरूर|बिल्कुल|ठीक है|हाँ|हां|अवश्य|निश्चित|অবশ্যই|ঠিক আছে|হ্যাঁ|নিশ্চয়ই?)[^।.!,:]{0,12}[,!।.:]|यहाँ|यहां",
    r"यह रहा|नीचे|एখানে|এখানে|নিচে|(?:सारांश|संक्षेप|সারাংশ)[^।.:!?]{0,30}:|இதோ|நிச்சயமாக|கீழே",
    r"సారాంశం[^.:]{0,20}:|ఇదిగో|తప్పకుండా|ఖచ్చితంగా|క్రింద|సరే\s*[,!.]|சரி\s*[,!.]|અહીં|ચોક્કસ|ಇಲ್ಲಿದೆ|ಖಂಡಿತ|ഇതാ|തീർച്ചയായും",
    r"ਇੱਥੇ|ਜ਼ਰੂਰ",
    r"แน่นอน|ได้(?:เลย|ครับ|ค่ะ)|นี่คือ|ต่อไปนี้|ด้านล่าง|สรุป[^.:]{0,30}:",
    r"(?:chắc chắn|tất nhiên|dĩ nhiên|vâng|được|dạ)\b[^.!,:]{0,10}[,!.:]|đây là|dưới đây|sau đây",
    r"tóm tắt[^.:!?]{0,30}:|(?:tentu|baik|oke|pasti|siap|sudah tentu|ya)\b[^.!,:]{0,10}[,!.:]|berikut",
    r"ini (?:adalah )?ringkasan|di bawah|ringkasan[^.:!?]{0,30}:|narito|siyempre|hapa (?:kuna|ni)",
    r"bila shaka|muhtasari[^.:!?]{0,30}:",
    r"(?:はい|もちろん|承知|かしこまり|了解|わかりました|分かりました|では|それでは)[^。]{0,12}[、,。!!]",
    r"以下|こちら(?:が|は)|(?:要約|概要|まとめ|ブリーフィング)[^。::]{0,12}[::]",
    r"(?:好的?|当然|當然|没问题|沒問題|可以|明白|收到|了解|是的)[了]?[,,。!!、]",
    r"(?:以下|下面)(?:是|为|為)|(?:这是|這是)(?:为您|為您|您的|本次|一份|通话|通話|摘要|简报)",
    r"(?:本次|此次|来电|來電)?(?:通话|通話|电话|電話)?(?:摘要|简报|簡報|总结|總結|概要)[^。::]{0,12}[::]",
    r"(?:물론|네|알겠|좋습니다|그럼요|예)[^.,!]{0,8}[.,!]|다음은|여기(?:에|는| 있| 요)|아래(?:는|에)",
    r"(?:요약|브리핑)[^.:]{0,12}:",
)

REASONING: Final = (
    # "The user wants a summary" in many languages. "The user wants a refund" is a briefing.
    r"(?:\w{2,8}[,, ]+)?(?:the user|der (?:benutzer|nutzer|user)|l'utilisateur|el usuario|o usuário|"
    r"l'utente|de gebruiker|użytkownik|пользователь|користувач|uživatel|používateľ|användaren|brugeren|"
    r"brukeren|käyttäjä|felhasználó|utilizatorul|ο χρήστης|kullanıcı|المستخدم|کاربر|उपयोगकर्ता|"
    r"ব্যবহারকারী|用户|用戶|ユーザー|사용자|ผู้ใช้|người dùng|pengguna).{0,60}?(?:summar|brief|zusammenfass|"
    r"résum|resum|riassu|samenvat|podsumow|streszcz|резюме|сводк|кратк|підсум|shrnut|souhrn|sammanfatt|"
    r"sammendrag|yhteenve|összefogl|rezumat|περίληψ|özet|ملخص|تلخيص|خلاصه|सारांश|সারাংশ|摘要|总结|總結|"
    r"简报|簡報|要約|요약|브리핑|สรุป|tóm tắt|ringkas)",
    r"(?:okay|ok|alright|hmm+|wait|so|well|right|now|first(?:ly)?|then|next|also|but)[, ]+(?:i (?:need|"
    r"should|must|have to|will|can|think)|we|let me|let's|let us|the user|my)\b",
    r"hmm+\b|wait\b[,. ]|let me\b|let us\b|let's\b",
    r"i'll (?:write|start|begin|summari[sz]e|draft|provide|now|need)|i (?:need|should|must|have) to\b",
    r"i think\b|the (?:task|prompt|instructions?) (?:is to|are to|asks?|wants?)\b",
    r"the user (?:has )?(?:provided|given|gave|wants me|asked me|asks me)\b",
    r"we (?:need to|should|must|have to)\b|my (?:task|job|goal)\b|thinking\b|step \d|draft\b|word count",
    r"looking at the (?:transcript|conversation)|\(?\d+ words\)?",
    r"(?:okay|also|hm+|moment|gut|nun),? (?:ich (?:muss|soll)|lass)|ich (?:muss|sollte|soll)\b",
    r"lass(?:t)? (?:mich|uns)\b|zuerst (?:muss|sollte)|schauen wir|meine aufgabe|ik moet\b|laten we",
    r"laat me eens|eerst moet",
    r"(?:bon|ok|alors|hmm),? (?:je (?:dois|vais)|il faut)|je dois\b|voyons|d'abord,? je|ma tâche",
    r"(?:bien|vale|bueno|ok|hmm),? (?:debo|tengo|voy)|debo\b|tengo que|veamos",
    r"primero,? (?:debo|voy|tengo)|déjame|(?:eu )?(?:devo|tenho que)\b|vamos ver|deixe-me|vediamo",
    r"prima (?:devo|di tutto)|fammi\b",
    r"muszę|powinienem|powinnam|zobaczmy|musím\b|měl bych|(?:так|хорошо|итак),? (?:мне нужно|я должен)",
    r"мне нужно|я должен|давайте|дай подума|мені потрібно|jag (?:måste|bör)\b|jeg (?:må|bør|skal)\b",
    r"(?:嗯|好[的吧])[,,]?我|(?:用户|用戶)(?:要求|想要|希望|让|讓|需要|请)我",
    r"我(?:需要|应该|應該|得|要先|来|來)|首先,?我|让我|讓我|思考|ふむ|えーと|うーん",
    r"まず、?(?:要約|私|トランスクリプト)|(?:考え|整理し)て(?:みよう|みましょう)|음[,. ]|생각해",
    r"मुझे .{0,30}(?:सारांश|लिखना)|पहले मुझे|أحتاج إلى|يجب (?:علي|أن)|دعني|دعنا|yapmam gerek|bakalım",
)
