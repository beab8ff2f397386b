"""Dutch."""

from __future__ import annotations

from typing import Final

from .language import Language

DUTCH: Final = Language(
    code="nl",
    them="hem|haar|het|ze|die|de klant|de beller|het gesprek|de mevrouw|de meneer|mevrouw|meneer|die klant|die beller|deze klant|deze beller|deze persoon|de persoon|de klant maar|hem maar|haar maar|ze maar|maar",
    yes="""
    ik (kan|wil|ga|zal) (het gesprek|de klant|de beller|hem|haar|het) (nu|wel|graag|) (overnemen|aannemen|spreken|helpen); (nu|dat) (past|schikt) (het|dat|) (goed|prima|wel|mij|nu|); nu kan het (wel|prima|); nu komt het (goed|prima|) uit; (dat|) klopt (helemaal|); (dat is|is) (juist|correct|goed zo|waar); juist; precies; correct; exact; (dat heeft u|dat heb je|u heeft het|u hebt het|je hebt het) (goed|juist) (begrepen|verstaan); ik regel het (wel|graag|); ik los het op; ik (pak|neem) het (wel|) (op|over|verder over); laat (mij|me) (maar|even|) met (hem|haar|de klant|de beller) (praten|spreken); ik wil (graag|) met (hem|haar|de klant|de beller) (praten|spreken); (ik ben|ben) (nu|) (klaar|beschikbaar|vrij|bereid) (voor (het gesprek|hem|haar|de klant)|om (het gesprek|hem|haar|de klant) (over te nemen|aan te nemen|te spreken)|); laat (mij|me) het (maar|) (doen|overnemen);
    ja (ja|hoor|graag|prima|goed|natuurlijk|zeker|dat kan|dat is goed|is goed|doe maar|ik ben er|); jawel; jazeker; yes; jep; zeker (weten|); natuurlijk; uiteraard; vanzelfsprekend; absoluut; graag; heel graag; prima (hoor|); goed (hoor|zo|); best; akkoord; is goed; dat is (goed|prima|oké|in orde|akkoord); 't is goed; in orde; komt voor elkaar; oke; okee; oké (dan|); doe maar; doe dat (maar|); doen we; doe ik; kom maar (door|op|); laat maar (komen|doorkomen); stuur maar (door|); toe maar; ga (je gang|maar|uw gang); vooruit; vooruit maar;
    (ik ben|ben|wij zijn|we zijn) (er|) (klaar|beschikbaar|gereed|er|vrij|klaar voor|er klaar voor|zover|paraat) (om (het gesprek|hem|haar) (over te nemen|aan te nemen)|voor (het gesprek)|nu|); klaar (voor|); (dat|) kan (nu|wel|prima|hoor|); dat kan; kan geen kwaad; geen (enkel|) probleem; geen punt; waarom niet; (verbind|schakel|zet|stuur|geef|breng|koppel) ({them}|) (maar|nu|gerust|even|rustig|) ({them}|) (door|over|aan mij|hierheen|naar mij|naar mij door|met mij|); (u|je) (kunt|mag|kan) ({them}|) (nu|gerust|maar|) (doorverbinden|doorschakelen|doorzetten|verbinden|doorsturen|doorgeven); doorverbinden (maar|); verbinden; doorschakelen; verbind ons (maar|nu|door|);
    (ik|) (neem|pak|accepteer) ({them}|) (graag|wel|nu|) ({them}|) (over|aan|op|); ik (neem|pak) (hem|het|haar|ze|de klant|het gesprek) (wel|graag|nu|) (over|aan|op|); neem ik (over|aan|op|); ik accepteer (het|het gesprek|); ik regel het; ik help (hem|haar|de klant|de beller) (graag|wel|nu|) (verder|); ik (praat|spreek) (graag|wel|nu|) met (hem|haar|de klant|de beller); ik wil (hem|haar|het gesprek) wel (spreken|overnemen|aannemen); ik heb (nu|wel|even|) tijd; laat (hem|haar|ze|de klant|de beller) (maar|) (door|binnen|komen); hup; zet maar door; u kunt doorverbinden; wanneer (u|je) (wil|wilt); bevestigd; mee eens;
    ik sta klaar; (ik|) sta (paraat|voor u klaar|voor je klaar)
    """,
    connect="""
    (verbind|schakel|zet) {them} (maar|nu|gerust|even|rustig|) (maar|nu|) (door|door naar mij|met mij|aan mij); verbind (maar|nu|gerust|) door; zet (maar|nu|) door; verbind
    (ons|mij|me) (maar|nu|door|); (u|je) (kunt|mag|kan) {them} (nu|gerust|maar|) (doorverbinden|doorzetten|doorschakelen); geef {them} (maar|) (aan mij|hier|door aan mij); ik
    (neem|pak) (hem|het|haar|ze|de klant|het gesprek|die) (wel|graag|nu|) (over|aan|op); laat (hem|haar|ze|de klant|de beller) (maar|) (door|binnen|komen); ik (praat|spreek)
    (graag|wel|nu|) met (hem|haar|de klant|de beller|mevrouw *|meneer *)
    """,
    despite="""
    (nee|neen) (hoor|joh|); dat geeft (niks|niet|niets) (hoor|); dat is (geen probleem|niet erg) (hoor|); helemaal niet; ik (kan|durf) (haar|hem|ze|daar|mevrouw *|meneer *) (toch|)
    (geen nee|niet nee|geen nee tegen|moeilijk nee) (te|) zeggen; ik zeg (geen|niet) nee; ik wilde (eigenlijk|net|) nee zeggen , maar; (eigenlijk|) liever niet , maar; als het
    (moet|echt moet); ik heb (toch|) niks (te doen|anders te doen); ik ben niet (bezig|druk|bezet|in bespreking|in vergadering); niet ophangen; hang niet op
    """,
    pause="""
    wacht (even|heel even|eventjes|); (een|één|heel even een) (moment|momentje|ogenblik|ogenblikje|seconde|tel); (moment|momentje|ogenblikje); (ik|even) (doe|maak|pak|sluit|doe even)
    (de|het|mijn|een) * (dicht|open|erbij|); eh; heel even
    """,
    resumed="""
    zo; zo ja; ja; klaar; daar ben ik (weer|); ik ben er (weer|); goed; prima; gelukt; hebbes; in orde
    """,
    request="(kunt|kan|wilt|wil|zou) (u|je) {them} (even|alsjeblieft|alstublieft|) (doorverbinden|doorschakelen|doorzetten|verbinden)",
    before="""
    ik hoor (u|je) (goed|); ik (heb|ken) (het|alles|het dossier|de samenvatting) (gelezen|gezien|); ik herinner me (hem|haar); ik heb (even|nu|) tijd;
    goedemorgen; goedemiddag; goedenavond; goeiemorgen; goeiemiddag; hoi; hé; dag; met *; je spreekt met *; u spreekt met *; * hier; dit is *; ah; eh; uh; hm; nou; nou ja; dus; en; dan; mooi; perfect; super; fijn; top; uitstekend; prima; goed; helder; duidelijk; begrepen; ik begrijp het; snap ik; ik snap het; bedankt voor (de info|de informatie|de samenvatting|het wachten|de uitleg); dank je (wel|); dank u (wel|); bedankt; (ik ben|dit is|met) de (supervisor|leidinggevende|manager|teamleider); ik ben het; ik zit (klaar|achter mijn bureau|in het systeem|op mijn plek);
    ik heb (het systeem|het dossier|de zaak|het account|de gegevens|alles|de bestelling|het ticket) (al|) (open|voor me|erbij|hier|); ik ken (de klant|hem|haar|de zaak|het dossier|deze klant); maak je geen zorgen; geen zorgen; ik denk; volgens mij; alles duidelijk; genoeg;
    ik heb (het|de|zijn|haar) * (open|voor me|erbij|hier|op het scherm|voor mijn neus) (in het systeem|)
    """,
    after="graag; alstublieft; alsjeblieft; bedankt; dank je (wel|); dank u (wel|); dankjewel; dankuwel; nu; nu meteen; meteen; direct; gelijk; snel; maar snel; maar wel snel; hoor; maar; even; door; dan; ook; met mij; aan mij; hier; prima; natuurlijk; zeker; meneer; mevrouw; ik heb (vijf|tien|twee|een paar) minuten; ik heb tijd; ik ben (klaar|er|beschikbaar); is goed; geen probleem",
    never="niet; geen; nee; nooit; niemand; weg; ziek; bezet; druk; bijna; klant; beller; onderweg; afwezig; niks; zonder; in; op",
    hesitation=r"nou ja(?: \|)?(?: \S+)?",
    no=r"(?:(?:eh|uh|oh|sorry|helaas|nou|ach) )*(?:nee|neen|nooit|niet|absoluut niet|zeker niet|liever niet|helaas niet|nu niet|even niet|beter van niet)(?: (?:nee|dank je|dank u|bedankt|sorry|hoor|helaas|wel|dankjewel|nu))*",
    refusal=r"""
    nee(?: \|)? (?:bedankt|dank|sorry|helaas|ik (?:kan|wil|heb|ben)|dat (?:kan|gaat|lukt)|nu niet|liever)(?: \S+)?; (?:ik )?(?:kan|wil|zal|ga)(?: \S+){0,4} niet(?: \S+)?; (?:dat )?(?:lukt|gaat|kan|schikt|past|komt)(?: \S+){0,2} niet(?: \S+)?; (?:nu|vandaag|momenteel|op dit moment|even) niet; geen tijd; niet (?:nu|vandaag|mogelijk|beschikbaar|klaar|bereikbaar|gelegen); (?:ik )?(?:heb|ben|zit)(?: \S+){0,2} (?:te druk|druk|bezet|in gesprek|in een (?:vergadering|meeting|gesprek|overleg)|in vergadering|in bespreking|onderweg|op vakantie)(?: \S+)?; in (?:een )?(?:vergadering|meeting|bespreking|overleg); (?:ik )?(?:rijd|rij|zit in de auto)(?: \S+)?; (?:bel|bellen)(?: \S+){0,2} (?:later|morgen|terug)(?: \S+)?; later; een andere keer; ander moment; verkeerd verbonden; verkeerd nummer; (?:ik )?(?:weiger|wijs|sla)(?: \S+){0,3}(?: af| over)?; verbind(?: \S+){0,2} niet(?: \S+)?; vraag iemand anders; slecht moment; komt slecht uit
    """,
    no_refusal="geen (?:enkel )?probleem(?: \\S+)?; waarom niet; geen zorgen; maakt niet uit",
    wait=r"(?:een |één |nog een |heel even |)(?:momentje|moment|ogenblik|ogenblikje|seconde|secondje|minuut|minuutje|tel|tel(?:letje)?)(?: \S+)?; (?:even|eventjes) (?:wachten|geduld|kijken|afmaken|geduldig|afronden|nog)(?: \S+)*; (?:twee|drie|vijf|tien|paar|\d+) (?:minuten|minuutjes|seconden|tellen)(?: \S+)?; wacht(?:en)?(?: \S+)*; nog niet(?: \S+)*; (?:ik )?(?:ben|kom) (?:zo|bijna|er zo)(?: \S+)*; bijna(?: \S+)?; laat me (?:even|eerst|nog)(?: \S+)*; (?:ik moet|moet) (?:eerst|nog|even)(?: \S+)*; eerst(?: \S+)*; voordat(?: \S+)*; straks; zo meteen; blijf(?:t)? (?:u )?(?:aan de lijn|hangen)(?: \S+)*; geduld(?: \S+)*; over (?:een|twee|vijf|tien|\d+) \S+",
    elsewhere=r"(?:geef|verbind|schakel|zet|stuur|breng|zend)(?: \S+){0,4} (?:aan|met|naar|bij) (?!mij\b|me\b|ons\b|hem\b|haar\b|hen\b|de (?:klant|beller|mevrouw|meneer)\b|mevrouw\b|meneer\b|mijn (?:lijn|toestel|bureau)\b)\S+(?: \S+)*; terugbel\w*(?: \S+)*; voorzien; prima zo; (?:per|via) (?:mail|e mail|sms|whatsapp); doe (?:jij|u|maar niet|het zelf)(?: \S+)*; (?:neem|neemt|pak) (?:jij|u)(?: \S+)*; laat maar; (?:naar|met|aan|in|op|bij) (?:(?:de|het|mijn|een|onze|uw|je) )?(?:voicemail|antwoordapparaat|facturatie|administratie|verkoop|boekhouding|receptie|helpdesk|collega|afdeling|secretaresse|wacht|wachtrij|iemand \S+|mobiel|manager|baas|andere \S+|technische \S+|support)(?: \S+)?; laat (?:hem|haar|ze|maar) (?:gaan|zitten|los|wachten); laat maar zitten; hang(?:t)? (?:maar )?op; ophangen; zeg (?:maar |hem |haar |dat )(?: ?\S+)*; als(?: \S+)+; indien; misschien; ligt eraan; hangt ervan af; morgen; daarna; doei; tot ziens; niet nodig; weet (?:ik )?niet; niet zeker; hoeft niet; liever; tenzij; in de wacht",
    question=r"(?:(?:en|ja|oké|ok|maar|hallo|nou) (?:\| )?){0,2}(?:wie|wat|welke?|wanneer|waar|waarom(?! niet)|hoe|hoeveel|waarover|waarvoor|wiens)(?: \S+)+; wat; sorry wat; wablief; (?:herhaal|kunt u (?:dat )?herhalen|nog een keer|nogmaals|kun je (?:dat )?herhalen)(?: \S+)*; (?:is|heeft|was|kan) (?:hij|zij|ze|het|dat|de|er)(?: \S+)+",
    machine=r"na de (?:piep|pieptoon|toon|biep|beep)(?: \S+)*; (?:spreek|laat|spreekt|laat u)(?: \S+){0,4} (?:bericht|boodschap|naam|in)(?: na| achter| in| \|)(?: \S+)*; (?:laat|spreek)(?: \S+){0,2} (?:bericht|boodschap)(?: \S+)*; (?:voicemail|antwoordapparaat|mailbox) (?:van|is|service)(?: \S+)*; (?:het nummer|de abonnee|de persoon|het toestel|de klant) (?:dat|die) (?:u|je)(?: \S+)*; (?:abonnee|nummer|toestel|persoon)(?: \S+){0,3} (?:niet bereikbaar|niet in gebruik|tijdelijk)(?: \S+)*",
    maybe_machine=r"welkom bij; bedankt voor (?:het bellen|uw|je); bericht; boodschap; niet (?:bereikbaar|beschikbaar|aanwezig|opnemen|te bereiken|aan de telefoon)(?: \S+)*; (?:bel|bellen)(?: \S+){0,5} terug(?: \S+)*; zo (?:snel|spoedig) mogelijk; voicemail; (?:openingstijden|kantooruren)(?: \S+)*; buiten (?:onze|kantooruren)(?: \S+)*; (?:uw|je) (?:telefoontje|gesprek|oproep) is(?: \S+)*; gesloten",
    reached=r"(?:dit is|u bent verbonden met|u spreekt met) (?:de |het )?(?:voicemail|antwoordapparaat|mailbox)",
    offer=r"(?:wilt|wil|wenst) (?:u|je)(?: \S+)*; (?:kan|zal|mag|moet) ik (?:\S+ ){0,4}(?:aannemen|doorgeven|noteren|overbrengen|opnemen)(?: \S+)*; bij mij(?: \S+)*",
    person=r"(?:waarmee|hoe|waar|wat) kan ik(?: \S+)*; (?:met wie|wie) (?:spreek|is|heb|ben)(?: \S+)*; zegt u het maar; zeg het maar; ik (?:kan|neem|vervang)(?: \S+)*; waar gaat het over",
    screening=r"(?:gesprek|oproep|nummer|lijn)(?: \S+){0,4} (?:gescreend|gefilterd|beveiligd|gecontroleerd); (?:zeg|noem)(?: \S+){0,2} (?:uw|je) naam; (?:virtuele|digitale|automatische) assistent; voordat ik (?:u |je )?(?:doorverbind|verbind); geen robot; wie bent u en (?:waarvoor|waarom); (?:zeg|noem|vermeld|spreek)(?: u| dan)? (?:uw|je) naam(?: \|)?(?: en| in)?(?: \|)?(?: \S+){0,4} (?:reden|waarom|belt)(?: \S+)*; reden (?:van|voor) (?:uw|je|het) (?:oproep|telefoontje|gesprek)(?: \S+)*; (?:oproepen|gesprekken|telefoontjes) (?:screent|filtert|worden gescreend)(?: \S+)*; screen\w*(?: \S+)*",
    hold=r"(?:blijft|blijf)(?: u)? aan de lijn(?: \S+)*; (?:al onze|alle|onze)(?: \S+){0,2} (?:medewerkers|lijnen|agenten|collega's)(?: \S+)*; (?:eerstvolgende|volgende beschikbare|eerste beschikbare)(?: \S+)*; wachttijd(?: \S+)*; wachtrij(?: \S+)*; (?:toets|kies|druk)(?: \S+){0,2} (?:\d+|één|een|twee|drie|vier|vijf|nul|hekje|sterretje)(?: \S+)*; (?:u wordt|wordt) (?:zo |zo spoedig |doorverbonden)(?: \S+)*; een ogenblik geduld(?: \S+)*",
)
