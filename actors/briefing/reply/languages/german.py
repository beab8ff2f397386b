"""German."""

from __future__ import annotations

from typing import Final

from .language import Language

GERMAN: Final = Language(
    code="de",
    them=(
        "ihn|sie|es|den|die|das|den anrufer|die anruferin|den kunden|die kundin|den anruf|das gespräch|die dame|den herrn|"
        "den mann|die frau|ihn mir|sie mir|mir den anrufer|mir die anruferin|mir den kunden|mir die kundin|ihm|ihr|mir|mich"
    ),
    yes="""
    (das|) (ist|wäre) (gar|überhaupt|) (kein problem|kein thema|möglich); (jetzt|das|es) (passt|geht|klappt) (jetzt|) (gut|prima|super|bei mir|mir gut|mir|); (jetzt|gerade) (passt|geht|klappt) (es|das|) (gut|prima|super|); (ich|) (kann|möchte|will|werde|würde) (das gespräch|den anruf|die anruferin|den anrufer|den kunden|die kundin|ihn|sie|das|es) (jetzt|gern|gerne|) (annehmen|übernehmen|entgegennehmen|sprechen); (ich bin|bin) (jetzt|) bereit (für (den anruf|das gespräch|sie|ihn|die kundin|den kunden)|das gespräch zu übernehmen|zu übernehmen|); (verbinden sie|verbinde) mich (bitte|jetzt|) mit (ihm|ihr|dem kunden|der kundin|dem anrufer|der anruferin) (bitte|jetzt|); ich mach's; ich mach das; ich kümmere mich (gern|gerne|) (darum|drum|um (ihn|sie|den kunden|die kundin|den anrufer|die anruferin)); ich (rede|spreche|spräche) (gern|gerne|jetzt|) mit (ihm|ihr|dem kunden|der kundin|dem anrufer|der anruferin|der dame|dem herrn); (ich hätte|ich habe|ich hab|hätte|hab|zeit) (jetzt|kurz|gerade|) (zeit|habe ich|hab ich); sie (dürfen|können) (jetzt|gern|gerne|ruhig|) (durchstellen|verbinden|ihn mir geben|sie mir geben|mir ihn geben|mir sie geben); richtig; (das|) stimmt (so|); genau (so|richtig|); (das haben sie|sie haben|haben sie|sie haben mich) (richtig|mich richtig|das richtig|völlig richtig) verstanden; (richtig|korrekt|exakt); sehr (gern|gerne); legen sie los; leg los; lassen sie mich (bitte|) mit (ihm|ihr|dem kunden|der kundin|dem anrufer|der anruferin) (sprechen|reden); ich (möchte|will|würde gern|würde gerne|kann) mit (ihm|ihr|dem kunden|der kundin|dem anrufer|der anruferin) (jetzt|) (sprechen|reden); annehmen; übernehmen; angenommen; verbinden sie (bitte|jetzt|ruhig|); dann (stellen sie|geben sie) (mal|) (durch|her);
    ja (ja|gerne|gern|klar|bitte|natürlich|sicher|doch|genau|mach ich|passt|okay|); jo; jep; jap; jawohl; klar (doch|); na klar; aber (klar|sicher|gerne|ja); na gut; gut; sicher;
    gerne; gern; sehr gerne; natürlich; selbstverständlich; auf jeden fall; absolut; unbedingt; bereit; (ich bin|bin|wir sind) (jetzt|) (bereit|soweit|so weit|da|verfügbar|dran|startklar|frei); einverstanden; in ordnung; geht in ordnung; (das|) passt mir; (das|) geht (klar|jetzt|); das ist (ok|okay|in ordnung|gut|prima); ist okay; ist in ordnung; mach ich; mache ich; machen wir; machen sie (das|); mach (das|); machen sie ruhig; los; los geht's; los gehts; auf geht's; dann los; nur zu; nur her damit; her damit; immer her damit;
    kein problem; kein thema; warum nicht; von mir aus; meinetwegen; (ich|) (übernehme|nehme) (gerne|gern|jetzt|) {them} (gerne|gern|jetzt|) (an|entgegen|); (ich|) (übernehme|nehme) {them}; ich übernehme (gerne|gern|jetzt|); übernehme ich; (das|den|die) (übernehme|nehme|mache) ich (gerne|gern|); ich kann (jetzt|gerne|) (sprechen|übernehmen|reden|den anruf annehmen|das gespräch übernehmen|den anruf übernehmen|rangehen|);
    ich spreche (gerne|gern|jetzt|) mit (ihm|ihr|dem kunden|der kundin|dem anrufer|der anruferin); (ich habe|habe|hab|ich hab) (jetzt|gerade|) zeit; ich nehme an; (stellen sie|stell|stellt|verbinden sie|verbinde|verbindet|schalten sie|schalt|leiten sie|leite|geben sie|gib|gebt|holen sie|hol|bringen sie|schicken sie) (bitte|ruhig|mal|doch|gerne|gern|jetzt|einfach|) ({them}|) (bitte|ruhig|mal|doch|gerne|gern|jetzt|einfach|) (durch|rüber|her|weiter|dazu|rein|zu|zu mir|an mich weiter|);
    verbinden; durchstellen; (bitte|) ({them}|) (bitte|ruhig|gerne|gern|jetzt|) (durchstellen|verbinden|durchgeben|rüberstellen|herstellen|weiterleiten|durchschalten); {them} (bitte|) durchstellen; sie können (ihn|sie|den anrufer|die anruferin|den kunden|die kundin|den anruf|das gespräch|) (jetzt|gerne|gern|ruhig|) (durchstellen|verbinden|durchgeben|rüberstellen|weiterleiten); du kannst (ihn|sie|) (durchstellen|verbinden);
    lassen sie {them} (rein|durch); rein damit; immer rein damit; nur rein damit; verbinden sie uns; super gerne; ich stehe bereit; ich wäre (jetzt|) (bereit|soweit|so weit); kann losgehen; es kann losgehen; wir können (loslegen|starten|anfangen); wir können; ich kann; freilich; aber natürlich; gut dann los;
    passt verbinde uns; verbinde uns; verbindet uns; her mit {them}; freie bahn
    """,
    connect="""
    (stellen sie|stell|stellt|schalten sie|schalt|geben sie|gib|holen sie|hol|lassen sie|lass) ({them}|) (bitte|ruhig|mal|doch|gerne|gern|jetzt|einfach|) ({them}|)
    (bitte|ruhig|mal|doch|gerne|gern|jetzt|einfach|) (durch|rüber|her|rein|dazu|durch zu mir|zu mir); (verbinden sie|verbinde|verbindet) (uns|mich|mich mit {them}|mich mit (frau|herrn)
    *) (bitte|jetzt|ruhig|); (bitte|) ({them}|) (bitte|ruhig|gerne|gern|jetzt|) (durchstellen|durchgeben|rüberstellen); (sie können|du kannst) {them} (jetzt|gerne|gern|ruhig|)
    (durchstellen|durchgeben|verbinden); (ich|) (übernehme|nehme) (gerne|gern|jetzt|) {them} (gerne|gern|jetzt|) (an|entgegen|); übernehme ich; (das|den|die) übernehme ich
    (gerne|gern|); ich spreche (gerne|gern|jetzt|) mit (ihm|ihr|dem kunden|der kundin|dem anrufer|der anruferin); her mit (ihr|ihm|dem anruf|dem kunden|der kundin|dem gespräch)
    """,
    despite="""
    nein; nee; nö; ne; (das|) passt (schon|); (das|) stört (mich|) (gar|überhaupt|) nicht; (das|) macht (gar|) nichts; (gar|überhaupt) nicht; ich sag ja nicht nein; ich sage (ja|)
    nicht nein; ich kann (ihm|ihr|da|dazu|*) (ja|doch|schlecht|kaum|) (nicht nein sagen|schlecht nein sagen|kaum nein sagen); ich (habe|hab) (gerade|) (eh|sowieso|ohnehin|) nichts (zu
    tun|vor|besseres zu tun); muss ja; wenn's sein muss; wenn es sein muss; ich wollte (schon|eigentlich|gerade|) (nein sagen|ablehnen) , aber; eigentlich (nicht|nein) , aber; ich bin
    nicht (beschäftigt|im meeting|in einer besprechung|unterwegs); (bloß|) nicht auflegen
    """,
    pause="""
    (einen|) (moment|augenblick) (bitte|mal|kurz|); (eine|) sekunde (bitte|mal|); (warten|warte) (sie|) (kurz|mal|bitte|); (ich|) (muss|mache|mach) (nur|) (kurz|schnell|noch|eben|)
    (die tür|das fenster|den|die|das) (*|) (zu|zumachen|schließen|holen); äh; ähm
    """,
    resumed="""
    so; so jetzt; jetzt ja; ja; gut; okay jetzt; da bin ich; bin da; bin wieder da; fertig; erledigt; passt; in ordnung; jetzt geht's; jetzt passt's
    """,
    request="""
    (können|könnten|würden) sie {them} (bitte|) (durchstellen|verbinden|rüberstellen|weiterleiten|durchgeben); (kannst|könntest) du {them} (bitte|) (durchstellen|verbinden|rüberstellen)
    """,
    before="""
    ich höre (sie|zu|); ich kann sie (gut|) hören; (ich|) (habe|hab) (es|das|alles|den fall) (gelesen|gehört|verstanden|gesehen); oh je; oje; oh; wow;
    alles klar; passt; guten (tag|morgen|abend); tag; moin; servus; grüß gott; grüezi; ach; ach so; achso; äh; ähm; hm; also; so; na; nun; dann; und; prima; super; toll; perfekt; sehr gut; wunderbar; genau; richtig; verstehe; ich verstehe; verstanden; habe verstanden; ich habe verstanden; danke für (die info|die information|die zusammenfassung|das briefing|das warten|die infos);
    danke (ihnen|schön|sehr|); vielen dank; besten dank; bitte; (hier ist|hier spricht|ich bin|das ist) * ; * hier; * am apparat; am apparat; ich bin (der|die) (supervisor|vorgesetzte|chef|chefin|teamleiter|teamleiterin|leiter|leiterin); ich bin's; ich bin es; (ich|) (habe|hab) (das system|die akte|den fall|den vorgang|die daten|das konto|alles|die bestellung|die unterlagen|das ticket|den auftrag|die kundendaten|das profil) (schon|bereits|jetzt|) (offen|auf|vor mir|da|geöffnet|parat|im system|im blick|);
    ich kenne (den kunden|die kundin|den fall|ihn|sie|das|den vorgang); ich weiß bescheid; weiß bescheid; das reicht (mir|); da bin ich; ich bin (wieder|) (am platz|zurück|am rechner|im system|im bild); bin im bild; ich sehe (den fall|das|es|ihn|sie|die akte|das konto); ich helfe (gerne|gern|ihm|ihr|); keine sorge; ich denke; ich glaube; ich würde sagen; dann bitte; na dann; gut dann
    """,
    after="""
    bitte; danke (schön|sehr|); vielen dank; jetzt; sofort; direkt; schnell; gerne; gern; ruhig; mal; doch; durch; mit mir; zu mir; an mich; hier; dann; auch; natürlich; klar; aber (bitte|) (schnell|kurz); ich habe (nur|) (kurz|fünf minuten|5 minuten|zehn minuten|zwei minuten|ein paar minuten|einen moment) (zeit|); ich habe zeit; ich bin (bereit|da|soweit)
    """,
    never="nicht; kein; keine; nie; niemand; nein; krank; weg; beschäftigt; kaum; fast; anrufer; kunde; falsch; unsicher; müde; unterwegs; dagegen; im; nur",
    hesitation=r"na ja(?: \|)?(?: \S+)?",
    no=r"(?:(?:äh|ähm|oh|ach|also|hm|tut mir leid|leider) )*(?:nein|nee|nö|ne|nicht|niemals|auf keinen fall|lieber nicht|leider nicht|besser nicht|keinesfalls)(?: (?:nein|nee|nö|danke|leider|sorry|bitte nicht|vielen dank|auf keinen fall))*",
    refusal=r"""
    nein(?: \|)? (?:danke|leider|tut mir|ich (?:kann|will|habe|möchte)(?: \S+)?|das geht|jetzt nicht|gerade nicht|auf keinen)(?: \S+)?; (?:ich (?:kann|will|möchte|werde)|(?:kann|will|möchte|werde) ich)(?: \S+){0,4} nicht(?: (?:sprechen|annehmen|übernehmen|rangehen|reden))?; (?:kann|will|möchte)(?: (?:leider|gerade|jetzt|grad|heute|momentan|im|moment))* nicht(?: (?:sprechen|annehmen|übernehmen|rangehen|reden))?; (?:das )?geht (?:gerade |jetzt |heute |leider |im moment |grad )*nicht; (?:jetzt|gerade|heute|im moment|momentan|grad) (?:leider |gerade |grad )?(?:nicht|keine zeit|schlecht); keine zeit; nicht (?:jetzt|heute|möglich|bereit|verfügbar|zuständig);
    (?:passt|ist) (?:gerade |jetzt |mir |heute )*(?:schlecht|nicht gut|ungünstig); (?:ich bin |bin |sitze |ich sitze )?(?:gerade )?(?:in|im) (?:einer|einem|der)? ?(?:besprechung|meeting|termin|sitzung); (?:ich )?(?:fahre|bin) (?:gerade )?(?:auto|unterwegs|beschäftigt|im urlaub); rufen sie (?:mich )?(?:später|morgen|zurück)(?: \S+)?; (?:stellen|verbinden) sie (?:\S+ ){0,3}nicht(?: \S+)?; ich lehne ab; lehne ich ab; ablehnen; falsche nummer; falsch verbunden; lieber (?:später|morgen|nicht); ein andermal; fragen sie jemand anderen
    """,
    no_refusal=r"kein (?:problem|thema)(?: \S+)?; warum nicht; ich kann nicht klagen; wenn es ihnen nichts ausmacht",
    wait=r"""
    nur noch(?: \S+)*; nach (?:der|dem|meiner|meinem)(?: \S+)*; sobald(?: \S+)*; in (?:einer|einem|zwei|drei|fünf|zehn|\d+) (?:\S*minute\S*|\S*stunde\S*|augenblick|moment|tag\S*|woche\S*);
    (?:einen |ein |nur |kleinen |noch |kurzen )*(?:moment|augenblick|sekunde|sekündchen|momentchen|minute|minütchen)(?: (?:bitte|noch|mal|eben))*; (?:fünf|zwei|zehn|drei|\d+|paar) (?:minuten|sekunden)(?: noch)?; warten(?: sie)?(?: \S+)*; warte(?: \S+)*; sofort da; gleich (?:da|soweit|fertig|zurück|bereit)?; noch nicht(?: \S+)*; (?:ich )?(?:bin )?gleich(?: \S+)?; bleiben sie (?:dran|in der leitung)(?: \S+)*; (?:ich )?(?:muss|möchte|will) (?:noch|erst|vorher|nur)(?: \S+)*; lassen sie mich (?:kurz|erst|noch|eben)(?: \S+)*; erst(?: mal| noch)?; bevor; vorher; fast fertig; gedulden(?: \S+)*
    """,
    elsewhere=r"""
    (?:stellen|stell|leiten|leite|geben|gib|schicken|schick|verbinden|verbinde)(?: \S+){0,5} (?:zu|an) (?!mir\b|mich\b|uns\b|mein\w* (?:apparat|platz|leitung|durchwahl|telefon)\b)\S+(?: \S+)*; (?:stellen|stell|verbinden|verbinde|geben|gib)(?: \S+){0,4} (?:zum|zur|ans|auf die|auf den|in die) \S+(?: \S+)*; (?:verbinden|verbinde)(?: \S+){0,3} mit (?!mir\b|uns\b|ihm\b|ihr\b|dem (?:kunden|anrufer|herrn)\b|der (?:kundin|anruferin|dame|frau)\b|frau\b|herrn\b)\S+; leg(?:en)?(?: \S+){0,3} auf; mailbox; (?:eine|die) nachricht (?:auf|entgegen)?; (?:soll|sollen) (?:er|sie|mir|mich|später|warten|sich)(?: \S+)*; (?:er|sie) (?:soll|kann|möge)(?: \S+)*; jein; ja nein; nein ja; lass (?:mal|gut sein|stecken); passt (?:schon|so)(?: danke)?; alles (?:gut|bestens) bei mir; danke nein; (?:nie|niemals); machen sie (?:das )?(?:selbst|allein\w*); mach(?:en)? (?:das )?selbst; per (?:mail|e mail|sms);
    (?:zu|zum|zur|an|in|auf|mit) (?:(?:die|den|das|der|dem|meine|meinen|meiner|meinem|unsere|ihrer|einen|eine) )?(?:voicemail|mailbox|anrufbeantworter|buchhaltung|vertrieb|support|zentrale|kollegen|kollegin|abteilung|warteschleife|technik|sekretariat|empfang|rechnungsabteilung|chef|handy|jemand \S+)(?: \S+)?; (?:lassen|lass) sie? (?:ihn|sie|es) gehen; legen sie auf; auflegen; sagen sie (?:ihm|ihr|dem|der)(?: \S+)*; wenn; falls; vielleicht; eventuell; kommt drauf an; morgen; später; nachher; tschüss; wiederhören; egal; schon gut; nicht nötig; (?:ich )?brauche nichts; das (?:war's|wär's|wars|ist alles); mal sehen; weiß nicht; bin mir nicht sicher; statt(?:dessen)?; außer
    """,
    question=r"(?:(?:und|ja|okay|gut|aber|moment|hallo|ach) (?:\| )?){0,2}(?:wer|wen|wem|was|welche[rsn]?|wann|wo|wie|warum|wieso|weshalb|worum|wohin|woher|um was)(?: \S+)+; wie bitte; bitte was; (?:wiederholen sie|noch einmal|nochmal|noch mal)(?: \S+)*; (?:ist|hat|war|kann|will|sind|haben) (?:er|sie|es|das|der|die|ich)(?: \S+)+",
    machine=r"""
    nach dem (?:signal|signalton|piep|piepton|ton|pfeifton|pieps|beep)(?: \S+)*; (?:hinterlassen|hinterlasst|hinterlass) (?:sie )?(?:\S+ ){0,3}(?:nachricht|namen|mitteilung)(?: \S+)*; (?<!zur )(?<!die )(?<!in die )(?<!auf die )(?<!den )(?<!zum )(?:mailbox|voicemail|anrufbeantworter|sprachbox|mobilbox|combox) (?:von|des|der|ist|für)(?: \S+)*; (?:sprechen|sie hören|sie sprechen|verbunden) (?:\S+ ){0,2}mit (?:der|dem) (?:mailbox|voicemail|anrufbeantworter|automatischen)(?: \S+)*; (?:gewünschte|gewählte|angerufene|gerufene)[rns]? (?:gesprächspartner|teilnehmer|rufnummer|nummer|person)(?: \S+)*; (?:teilnehmer|rufnummer|anschluss) (?:ist )?(?:zurzeit|zur zeit|derzeit|momentan|vorübergehend|leider)?(?: \S+)* nicht (?:erreichbar|vergeben|verfügbar)(?: \S+)*; ihr anruf wird weitergeleitet an(?: \S+)*
    """,
    maybe_machine=r"(?:nummer|rufnummer|anschluss)(?: \S+){0,3} (?:bekannt|vergeben|ungültig)(?: \S+)*; aufs band; willkommen (?:bei|beim|in); nachricht; nicht (?:erreichbar|verfügbar|da|persönlich|zu hause|im büro|im haus|am platz); rufe? (?:\S+ ){0,3}zurück(?: \S+)*; zurückrufen; schnellstmöglich; so bald wie möglich; mailbox; anrufbeantworter; (?:öffnungszeiten|geschäftszeiten|sprechzeiten|bürozeiten)(?: \S+)*; außerhalb unserer(?: \S+)*; ihr anruf ist uns wichtig; nicht ans telefon(?: \S+)*",
    reached=r"(?:hier ist|sie sind verbunden mit|sie sprechen mit) (?:die|der|dem) (?:mailbox|voicemail|sprachbox|mobilbox|combox|anrufbeantworter)",
    offer=r"(?:möchten|möchtest|wollen|willst|wünschen) (?:sie|du)(?: \S+)*; (?:kann|soll|darf) ich (?:\S+ ){0,4}(?:ausrichten|weitergeben|notieren|aufnehmen|aufschreiben|bestellen)(?: \S+)*; bei mir(?: \S+)*",
    person=r"(?:wie|was|womit) kann ich (?:\S+ ){0,3}(?:helfen|tun)(?: \S+)*; was kann ich für sie tun; (?:wer|mit wem) (?:ist|spricht|spreche)(?: \S+)*; worum geht es(?: \S+)*; ich (?:kann|übernehme|vertrete)(?: \S+)*; am apparat",
    screening=r"anruf(?:filter|prüfung|assistent|screening|schutz)\w*; (?:sagen|nennen) sie(?: \S+){0,2} (?:wer sie sind|ihren namen); (?:virtuelle|digitale|automatische)\w* (?:\S+)?assisten\w*; (?:bevor|ehe) ich (?:sie )?(?:durchstelle|verbinde); (?:anruf|nummer|anschluss)(?: \S+){0,3} (?:geschützt|gefiltert|geprüft); kein roboter; (?:nennen|sagen) sie (?:bitte )?ihren namen(?: \|)?(?: und)?(?: \|)?(?: \S+){0,3} (?:grund|warum|anliegen|weshalb)(?: \S+)*; grund (?:ihres|für ihren|des) anruf\S*(?: \S+)*; (?:anruffilter|anrufassistent|anrufscreening|anrufe filtert|filterdienst)(?: \S+)*",
    hold=r"(?:bitte )?(?:bleiben|warten) sie (?:in der leitung|am apparat|dran|einen moment|bitte)(?: \S+)*; (?:nächste|nächster|nächsten) (?:freie|freier|freien|verfügbare|verfügbarer)(?: \S+)*; (?:alle|unsere) (?:\S+ ){0,2}(?:mitarbeiter|leitungen|plätze|berater|agenten)(?: \S+)*; warteschleife(?: \S+)*; wartezeit(?: \S+)*; (?:drücken|wählen) sie(?: bitte)? (?:die |bitte )?(?:\d+|eins|zwei|drei|vier|fünf|null|raute)(?: \S+)*; für \S+(?: \S+){0,3} (?:\| )?drücken(?: \S+)*; sie werden (?:gleich |sofort |umgehend )?(?:verbunden|weitergeleitet)(?: \S+)*",
)
