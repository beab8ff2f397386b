"""Polish."""

from __future__ import annotations

from typing import Final

from .language import Language

POLISH: Final = Language(
    code="pl",
    them="go|ją|ja|ich|tę osobę|klienta|klientkę|rozmowę|rozmówcę|panią|pana|dzwoniącego|dzwoniącą|tego klienta|tę klientkę|tę rozmowę|połączenie|mi go|mi ją|mi klienta",
    yes="""
    tak (tak|jest|oczywiście|proszę|jasne|pewnie|mogę|jestem|zgadza się|chętnie|poproszę|); no tak; no dobrze; no dobra; no jasne; no pewnie; no to dawaj; no to łącz; jasne (że tak|); oczywiście (że tak|); pewnie (że tak|); pewno; naturalnie; zdecydowanie; zgoda; zgadzam się; dobrze; dobra; dobrze dobrze; w porządku; spoko; spoko dawaj; ok; okej; może być; niech będzie; jak najbardziej; z (wielką|) (przyjemnością|chęcią); chętnie; bardzo chętnie; gotowy; gotowa; (jestem|jesteśmy|już jestem) (gotowy|gotowa|gotowi|gotów|dostępny|dostępna|do dyspozycji|wolny|wolna|na miejscu|przy telefonie|na linii) (na rozmowę|do rozmowy|teraz|przejąć rozmowę|odebrać|by rozmawiać|); nie ma (sprawy|problemu|żadnego problemu); żaden problem; bez problemu; czemu nie; dlaczego nie;
    (proszę|) (łącz|łączcie|połącz|połączcie|łączyć|połączyć|przełącz|przełączyć|przełączaj|przekaż|przekazać|przekazuj|daj|dawaj|dawać|dać|podłącz|włącz|wpuść|przepuść|przełączcie|przekierować|przekieruj) ({them}|) (do mnie|tutaj|tu|ze mną|z nim|z nią|z klientem|z klientką|mnie|nas|teraz|od razu|) (teraz|); (proszę|) ({them}|mnie|nas) (łączyć|połączyć|przełączyć|przekazać|dać|przekierować|łącz|połącz|przełącz) (z nim|z nią|z klientem|z klientką|do mnie|teraz|); (może|może już|możesz|możecie|można) (pan|pani|) (mnie|nas|{them}|) (łączyć|połączyć|przełączyć|przełączać|przekazać|dać|przekierować|łączyc) ({them}|z nim|z nią|z klientem|z klientką|do mnie|) (teraz|);
    (ja|) (przejmę|przejmuję|biorę|wezmę|odbiorę|odbieram|przyjmę|przyjmuję|akceptuję|zajmę się|zajmuję się) ({them}|to|tym|tę rozmowę|nim|nią|połączenie|) (teraz|); (mogę|mogę już|mogę teraz) (rozmawiać|odebrać|przejąć|przyjąć|porozmawiać|wziąć) ({them}|z nim|z nią|z klientem|z klientką|rozmowę|) (teraz|); mogę; porozmawiam (z nim|z nią|z klientem|z klientką|); mam (teraz|chwilę|) czas; akceptuję; potwierdzam; do dzieła; lecimy; jedziemy; zaczynajmy; śmiało; proszę bardzo; działamy; kiedy (pan|pani) (chce|gotowy); dajesz; dawaj (go|ją|); rób; proszę łączyć
    """,
    connect="""
    (proszę|) (łączyć|połączyć|przełączyć) (go|ją|mnie|nas|klienta|klientkę|rozmowę|panią|pana|tę panią|tego pana|) (do mnie|ze mną|z nim|z nią|z klientem|z klientką|na linię|);
    (proszę|) (go|ją|mnie|nas) (z nim|z nią|z klientem|z klientką|do mnie|) (łączyć|połączyć|przełączyć); (proszę|) dać (go|ją|mi go|mi ją|klienta|klientkę|panią|pana) (na linię|do mnie|do telefonu); (proszę|) (łącz|połącz|przełącz|daj|dawaj) (go|ją|mnie|nas|klienta|klientkę|rozmowę)
    (do mnie|ze mną|z nim|z nią|na linię|); niech (pan|pani) (łączy|przełączy|połączy|przełącza|da) (go|ją|mnie|nas|klienta|klientkę|rozmowę|) (do mnie|na linię|z nim|z nią|);
    (może|możesz|można) (go|ją|mnie|nas|) (pan|pani|) (go|ją|mnie|nas|) (z nim|z nią|do mnie|) (łączyć|połączyć|przełączyć|dać) (go|ją|z nim|z nią|do mnie|na linię|);
    (przejmę|przejmuję|biorę|wezmę|odbiorę) (go|ją|to|tę rozmowę|rozmowę|klienta|klientkę|tego klienta) (teraz|); (ja|) porozmawiam z (nim|nią|klientem|klientką|panią|panem)
    """,
    despite="""
    (nie ,|) (nie ,|) nie (przeszkadza|przeszkadzasz|szkodzi|ma problemu|ma sprawy) (pan|pani|mi|); ależ (skąd|nie); skąd; (nie ,|) skądże; nie (mogę|sposób|potrafię) (jej|jemu|mu|pani
    *|panu *|) (odmówić|powiedzieć nie) (pani *|panu *|klientce|klientowi|); nie mówię nie; (chciałem|chciałam|miałem|miałam) odmówić , ale; nie (chcę|chciałem|chciałam|mam ochoty) ,
    ale; jak trzeba to trzeba; skoro (trzeba|muszę); nie jestem (zajęty|zajęta|na spotkaniu); nic (teraz|) nie robię; proszę się nie rozłączać; nie trzeba (powtarzać|nic
    tłumaczyć|więcej)
    """,
    pause="""
    (proszę|) (chwilę|chwileczkę|chwilkę|momencik|moment|sekundę|sekundkę|sekunda|chwila|chwileczka|chwilka); (proszę|) (czekaj|czekać|poczekaj|poczekać|zaczekać) (chwilę|); (tylko|)
    (zamknę|wezmę|otworzę|znajdę) (drzwi|*); ee; yy
    """,
    resumed="""
    już okej; już dobrze; już dobra; już jestem; tak; dobrze; dobra; gotowe; już mam; już w porządku; no; jestem; okej
    """,
    request="(czy|) (może|możesz|mógłby|mogłaby|mógłbyś) (pan|pani|) (mnie|nas|{them}|) (połączyć|przełączyć|przekazać|łączyć) ({them}|z nim|z nią|z klientem|z klientką|do mnie|)",
    before="""
    dzień dobry; dobry wieczór; cześć; witam; słucham; ach; aha; eh; hm; mhm; no; no to; to; więc; i; a; dobrze; świetnie; super; doskonale; znakomicie; rozumiem; zrozumiałem; zrozumiałam; jasna sprawa; wszystko jasne; wszystko wiem; wiem; dziękuję za (informację|informacje|podsumowanie|cierpliwość|wprowadzenie); dzięki za (informację|info|podsumowanie); (tu|mówi|z tej strony|jestem) (*|kierownik|przełożony|przełożona|supervisor); to ja; już jestem; jestem (przy biurku|w systemie|na bieżąco); (mam|mam już) (otwarty system|system otwarty|otwarte konto|sprawę|dokumenty|wszystko|zamówienie|konto|akta) (przed sobą|otwarte|otwartą|pod ręką|); znam (tego klienta|klienta|klientkę|sprawę|tę sprawę); nie ma się co martwić; myślę; chyba tak; wystarczy;
    mam (system|konto|sprawę|zamówienie|*) (otwarty|otwarte|otwartą|przed sobą|na ekranie) (w systemie|); czemu nie
    """,
    after="proszę; poproszę; dziękuję; dzięki; dziękuję bardzo; teraz; już; od razu; natychmiast; szybko; byle szybko; tylko szybko; ale szybko; oczywiście; jasne; chętnie; do mnie; ze mną; tutaj; też; pan; pani; proszę pana; proszę pani; mam (pięć|dziesięć|dwie|kilka) (minut|minuty); mam czas; jestem (gotowy|gotowa|tutaj|dostępny|dostępna); w porządku; bardzo proszę",
    never="nie; nigdy; nikt; nic; zajęty; zajęta; chory; chora; prawie; klient; bez; poza; brak; niestety; w; na; z; nieobecny",
    no=r"(?:(?:eh|ach|hm|niestety|przykro mi|przepraszam|raczej|o|no) )*(?:nie|nigdy|absolutnie nie|raczej nie|zdecydowanie nie|w żadnym wypadku|teraz nie|nie teraz|nie dzisiaj|nie dziś|lepiej nie|jeszcze nie|nie bardzo)(?: (?:nie|dziękuję|dzięki|przepraszam|niestety|proszę|teraz))*",
    refusal=r"""
    nie(?: \|)? (?:dziękuję|dzięki|mogę|chcę|teraz|dzisiaj|dziś|mam (?:teraz )?czasu|jestem (?:gotow[yai]|dostępn[ya]|w stanie|zainteresowan[ya])|dam rady|da rady|łącz(?:yć|cie|)|przełącz\w*|przekaz\w*|odbiorę|przyjmę|przyjmuję|wezmę|będę|zgadzam się|ma mowy|tym razem|w tej chwili|pasuje mi)(?: \S+)?; (?:teraz|dzisiaj|dziś|w tej chwili|niestety) nie(?: \S+)?; (?:proszę )?(?:go |jej |ich |mnie )?nie (?:łączyć|przełączać|przekazywać|łącz)(?: \S+)?; (?:jestem )?(?:bardzo |teraz |strasznie )?zajęt[ya]; (?:jestem )?na (?:spotkaniu|zebraniu|urlopie|lunchu|innej linii); (?:jestem )?w (?:trakcie|pracy nad) \S+; (?:prowadzę|jadę)(?: samochód| autem)?; (?:proszę )?(?:zadzwonić|oddzwonić|zadzwoń|oddzwoń)(?: \S+)? (?:później|jutro|za)(?: \S+)*; (?:później|innym razem|kiedy indziej); odmawiam; odrzucam; pomyłka; zły numer; zły moment; proszę (?:poprosić|znaleźć) kogoś innego
    """,
    no_refusal="nie ma (?:żadnego )?(?:sprawy|problemu)(?: \\S+)?; czemu nie; dlaczego nie; nie ma się co martwić; nic nie szkodzi; nie mam nic przeciwko",
    wait=r"(?:jedną |jeszcze |małą |za )*(?:chwilę|chwileczkę|chwilkę|moment|momencik|sekundę|sekundkę|minutę|minutkę|minutki)(?: \S+)?; (?:dwie|trzy|pięć|dziesięć|kilka|parę|\d+) (?:minut|minuty|sekund|sekundy|minutki)(?: \S+)?; (?:proszę )?(?:poczekać|poczekaj|czekać|zaczekać|zaczekaj|czekaj|zaczekajcie|nie rozłączać|się nie rozłączać)(?: \S+)*; jeszcze nie(?: \S+)*; (?:niech|pozwól|proszę dać|daj mi|proszę mi dać)(?: \S+)+; prawie(?: \S+)?; zaraz(?: \S+)*; najpierw(?: \S+)*; zanim(?: \S+)*; już (?:idę|kończę|zaraz)(?: \S+)*; muszę (?:jeszcze|najpierw|tylko|coś)(?: \S+)*; (?:skończę|kończę|sprawdzę)(?: \S+)*; za (?:chwilę|moment|minutę|\S+ minut\S*)(?: \S+)?",
    elsewhere=r"(?:do|na|z|w|ze) (?:(?:mojej|moją|działu|innego|innej|kogoś|kimś|mojego|kolegi) ?)?(?:poczty głosowej|pocztę głosową|poczty|fakturowania|księgowości|sprzedaży|recepcji|biura|kolegi|koleżanki|działu(?: \S+)?|sekretarki|kolejki|kogoś innego|innego|innej|wsparcia|działem(?: \S+)?|szefa|kierownika|automatu)(?: \S+)?; niech (?:idzie|czeka|poczeka|zadzwoni|spada)(?: \S+)?; rozłącz(?:yć|)(?: się| \S+)?; (?:proszę )?(?:powiedzieć|powiedz|przekaż|niech pan powie)(?: \S+)? (?:że|mu|jej)(?: \S+)*; (?:jeśli|jeżeli|gdyby|o ile)(?: \S+)*; może(?! (?:być|pan|pani|mnie|nas|go|ją))(?: \S+)?; zależy; jutro; potem; do widzenia; na razie; nie trzeba; nie wiem; nie jestem pew\w+; nieważne; chyba że; zamiast; zostaw(?:ić)?(?: \S+)*",
    question=r"(?:(?:a|i|tak|ok|dobrze|halo|no|ale) (?:\| )?){0,2}(?:kto|kogo|kim|co|jaki|jaka|jakie|który|która|kiedy|gdzie|jak|ile|dlaczego(?! nie)|czemu(?! nie)|o co|w jakiej|skąd|czego|czy)(?! (?:najbardziej))(?: \S+)+; co; słucham; jak; (?:powtórz|proszę powtórzyć|jeszcze raz|może pan powtórzyć|może pani powtórzyć)(?: \S+)*; kto to(?: \S+)*",
    machine=r"po (?:usłyszeniu |)(?:sygnale|sygnału|tonie|dźwięku)(?: \S+)*; (?:zostaw\w*|pozostaw\w*|nagra\w*)(?: \S+){0,3} (?:wiadomość|nazwisko|imię)(?: \S+)*; (?:poczta głosowa|pocztą głosową|skrzynka głosowa|automatyczna sekretarka|skrzynka)(?: \S+)*; (?:abonent|wybrany numer|numer|osoba)(?: \S+){0,3} (?:niedostępny|niedostępna|nieosiągalny|nie odpowiada|jest (?:czasowo|chwilowo|obecnie|poza)|nie istnieje|wyłączony|zajęty)(?: \S+)*; abonent (?:jest|czasowo|chwilowo|ma)(?: \S+)*",
    maybe_machine=r"witamy w; dziękujemy za (?:telefon|połączenie|kontakt); wiadomość; nie (?:mogę|możemy) (?:teraz |w tej chwili )?(?:odebrać|rozmawiać|odpowiedzieć|podejść)(?: \S+)*; niedostępn[ya]; oddzwoni\w*(?: \S+)*; (?:najszybciej|jak najszybciej|tak szybko)(?: \S+)*; dodzwoni\w+ się (?:do|pod|na)(?: \S+)*; godzin(?:y|ach) (?:otwarcia|pracy)(?: \S+)*; twój telefon(?: \S+)*; poza biurem",
    reached=r"(?:tu|dodzwoniłeś się (?:do|na)|połączono z) (?:poczt\w+|skrzynk\w+) głosow\w+",
    offer=r"(?:chce|chcesz|zechce|chciałby|chciałaby|czy) (?:pan|pani|ty|mam|mogę)(?: \S+)*; (?:mogę|mam) (?:\S+ ){0,2}(?:przekazać|zapisać|zanotować|przyjąć)(?: \S+)*; (?:u mnie)(?: \S+)*",
    person=r"(?:w czym|jak|co) mogę (?:\S+ )?(?:pomóc|zrobić|służyć)(?: \S+)*; (?:kto|z kim) (?:mówi|dzwoni|rozmawiam|to)(?: \S+)*; (?:mogę|ja|zastępuję|przejmę)(?: \S+)* (?:przejąć|odebrać|pomóc)(?: \S+)*; o co chodzi(?: \S+)*; przy telefonie",
    screening=r"(?:rozmowa|połączenie|numer|linia)(?: \S+){0,4} (?:filtrowan|chronion|sprawdzan)\w; (?:podać|podaj|powiedz|powiedzieć)(?: \S+){0,2} kto dzwoni; wirtualn\w+ asystent\w*; zanim (?:połączę|przełączę); kto dzwoni i w jakim celu; nie jest\w* robotem; (?:podaj|proszę podać|powiedz|proszę powiedzieć)(?: \S+)? (?:imię|nazwisko|swoje imię|imię i nazwisko)(?: \|)?(?: i| oraz)?(?: \|)?(?: \S+){0,3} (?:powód|cel|dlaczego|przyczynę)(?: \S+)*; (?:powód|cel) (?:rozmowy|połączenia|telefonu|dzwonienia)(?: \S+)*; filtr\w+(?: \S+){0,2} połącze\w+(?: \S+)*",
    hold=r"(?:proszę )?(?:pozostać|zostać|czekać|oczekiwać|pozostań|nie rozłączać się)(?: \S+){0,2} (?:na linii|na połączenie|cierpliwie|przy telefonie)(?: \S+)*; (?:wszyscy|nasi|wszystkie)(?: \S+){0,3} (?:konsultanci|doradcy|agenci|linie|pracownicy)(?: \S+)*; (?:pierwszy|najbliższy|kolejny) (?:wolny|dostępny)(?: \S+)*; czas oczekiwania(?: \S+)*; (?:wybierz|naciśnij|wciśnij|proszę wybrać|proszę nacisnąć)(?: \S+)? ?(?:\d+|jeden|dwa|trzy|cztery|zero|jedynkę|dwójkę|krzyżyk|gwiazdkę)(?: \S+)*; (?:twoje|państwa|pani|pana) połączenie(?: \S+)*; w kolejce(?: \S+)*",
)
