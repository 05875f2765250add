"""German."""

import re

from worker.pipelines.analysis.languages.language import Language


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE | re.VERBOSE)


def _stem(word: str) -> str:
    for suffix in ("ungen", "ern", "em", "en", "er", "es", "e", "n", "s"):
        if word.endswith(suffix) and len(word) - len(suffix) >= 4:
            return word.removesuffix(suffix)
    return word


_DAYTIME = r"(?:früh|vormittag|mittag|nachmittag|abend)"
_WEEKDAY = rf"(?:Montag|Dienstag|Mittwoch|Donnerstag|Freitag|Samstag|Sonnabend|Sonntag){_DAYTIME}?"
_MONTH = r"(?:Januar|Jänner|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember)"
_SPAN = r"(?:Tage?s?|Wochen?|Wochenendes?|Monate?s?|Quartale?s?|Jahre?s?)"
_NEXT = r"(?:nächste|diese|kommende)[nmrs]?"
_DATE = rf"(?:\d{{1,2}}\.?(?:\s*(?:{_MONTH}|\d{{1,2}}\.))?|\w+(?:ten|sten)\s+{_MONTH})"
_DAY = r"(?:heute|morgen|übermorgen)(?:\s+(?:früh|vormittag|mittag|nachmittag|abend))?"
_END = (
    r"(?:Ende|Anfang|Mitte)\s+(?:(?:der|des|dieser|dieses)\s+)?(?:(?:nächsten|kommenden)\s+)?"
    rf"(?:{_SPAN}|{_MONTH}|{_NEXT}\s+{_SPAN})"
)
_NUMBER = r"(?:\d+|einem|einer|zwei|drei|vier|fünf|sechs|zehn|vierzehn|ein\s+paar)"

#: What people do when they say that they will; the present tense serves as the future.
_DOING = r"""
(?:rufe|schicke|sende|schreibe|mache|erledige|übernehme|organisiere|besorge|bestelle|buche|kläre|prüfe|frage|hole|bereite|
stelle|bringe|kontaktiere|informiere|aktualisiere|spreche|melde|kümmere|liefere|reiche|setze|trage|teste|baue|suche|
vereinbare|plane|erstelle|überarbeite|korrigiere|unterschreibe|überweise|leite|gebe|lade|drucke|verteile|kaufe|installiere|
repariere|schaue|sammle|fasse|richte|ändere|lösche|räume|fahre|lasse|checke|maile|update|dokumentiere|formuliere)
"""

_STOP_WORDS = """
ab aber alle allem allen aller allerdings alles allgemein als also am an andere anderen anderer anders auch auf aus
bei beiden beim bereits besser bestimmt bin bis bisher bist bitte bleiben bleibt bloß brauchen braucht da dabei
dadurch dafür dagegen daher dahin damals damit danach daneben dank danke danken dann daran darauf daraus darf darin
darum darüber das dass davon davor dazu dein deine deinen dem den denen denke denn der deren des deshalb dessen
deswegen dich die dies diese diesem diesen dieser dieses diesmal dir doch dort drei drin du durch dürfen eben eher
ehrlich eigentlich ein eine einem einen einer eines einfach einige einmal en endlich er erst erste ersten es etwa
etwas euch euer eure euren euro fast finde frage fragen früh für ganz gar geben gegen gehen geht gemacht genau gerade
gern gerne gesagt gestern gibt ging glaube gleich gleichen gut gute guten habe haben hallo halt hat hatte hatten heißt
her herr heute hier hin hinter hm hundert hätte hätten ich ihm ihn ihnen ihr ihre ihrem ihren ihrer im immer in ins
irgendwie ist ja jahr jahre jahren je jede jedem jeden jeder jedes jedoch jemand jetzt kann kannst kein keine keinem
keinen keiner klar kleine komme kommen kommt konnte kriegen kurz können könnt könnte könnten lang lange lassen laut
leider letzte letzten letzter lief liegen los läuft mache machen macht mal man manche mehr mein meine meinem meinen
meiner meint mich mir mit moment monat monate morgen muss möchte möchten mögen müssen müsste müssten nach nachher
natürlich neben nee nein nett neu neue neuen nicht nichts nie niemand noch nochmal nun nur nächste nächsten nächster
ob oben oder oft ohne okay ordnung paar prima prozent punkt recht richtig sache sachen sage sagen sagt schade schon
schön sehe sehen sehr seid sein seine seinem seinen seiner seit selbst sich sicher sie sind so sogar soll sollen
sollte sollten sonst sowie später stimmt super tag tage tausend teil thema tschüss tun tut um und uns unser unsere
unserem unseren unserer unter viel viele vielen vielleicht vom von vor vorher wann war waren warum was weg wegen weil
weit weiter weiß welche welchen welcher wenig weniger wenn wer werde werden wie wieder will wir wird wirklich wo woche
wochen wohl wollen wollte worden wurde wäre wären würde würden zeit zu zuerst zum zur zusammen zwar zwei zwischen über
überhaupt
"""

_ABBREVIATIONS = "z.b. d.h. u.a. bzw. ca. usw. dr. prof. nr. str. vgl. evtl. ggf. inkl. st. hr. fr. mio. mrd."

GERMAN = Language(
    code="de",
    name="German",
    stop_words=frozenset(_STOP_WORDS.split()),
    stem=_stem,
    abbreviations=frozenset(_ABBREVIATIONS.split()),
    commitments=(
        _pattern(r"\bich\s+werde\s+(?:auch\s+|dann\s+|mal\s+|das\s+dann\s+)*(?P<what>\S.*)"),
        _pattern(rf"\bich\s+(?P<what>{_DOING}\b.*)"),
        _pattern(rf"\b(?P<what>{_DOING}\s+ich\b[^?]*)$"),
        _pattern(r"\bich\s+kann\s+(?:auch\s+|ja\s+|gerne?\s+|mal\s+)*(?P<what>\S.*)"),
        _pattern(r"\b(?:kann|werde)\s+ich\s+(?:auch\s+|ja\s+|gerne?\s+|mal\s+)*(?P<what>[^?]*)$"),
    ),
    requests=(
        _pattern(
            r"(?:\b(?P<name>(?-i:[A-ZÄÖÜ])\w+),?\s+)?\b(?:kannst|könntest|würdest|magst)\s+du\s+"
            r"(?:(?:bitte|mal|vielleicht|noch)\s+)*(?P<what>\S.*)"
        ),
        _pattern(
            r"(?:\b(?P<name>(?:Herr|Frau)\s+[A-ZÄÖÜ]\w+),?\s+)?\b(?:können|könnten|würden)\s+(?-i:Sie)\s+"
            r"(?:(?:bitte|mal|vielleicht|noch)\s+)*(?P<what>\S.*)"
        ),
        _pattern(r"\b(?:könnt|könntet|würdet)\s+ihr\s+(?:(?:bitte|mal|vielleicht|noch)\s+)*(?P<what>\S.*)"),
        _pattern(r"^(?:(?:und|also|dann|so|gut)[,\s]+)*bitte\s+(?P<what>\w+\s+\S.*)"),
        _pattern(
            r"^(?:(?P<name>(?-i:[A-ZÄÖÜ])\w+),\s+)?(?P<what>(?:schick|schreib|ruf|prüf|mach|bring|frag|klär|denk|sag|bestell|hol|"
            r"besorg|leg|stell|kümmer)(?:e|t|en\s+Sie)?\b.*\bbitte\b.*)"
        ),
    ),
    assignments=(
        _pattern(
            r"\b(?-i:(?P<name>[A-ZÄÖÜ][a-zäöüß]+))\s+(?:wird|soll|muss|übernimmt|kümmert\s+sich|macht)\s+(?P<what>\S.*)"
        ),
    ),
    appeals=(_pattern(r"\b(?:jemand|einer(?:\s+von\s+(?:uns|euch))?)\s+(?:muss|müsste|sollte)\s+(?P<what>\S.*)"),),
    duties=(
        _pattern(
            r"\bwir\s+(?:müssen|sollten|müssten)\s+(?:noch\s+|auch\s+|unbedingt\s+|dringend\s+|mal\s+)*(?P<what>\S.*)"
        ),
        _pattern(
            r"\b(?:müssen|sollten|müssten)\s+wir\s+(?:noch\s+|auch\s+|unbedingt\s+|dringend\s+|mal\s+)*(?P<what>[^?]*)$"
        ),
        _pattern(r"\blasst?\s+uns\s+(?P<what>\S.*)"),
    ),
    unreal=_pattern(
        r"\b(?:wenn|falls|ob|was|wie|warum|wieso|dass|weil|wo|soll|sollte|kann|wann|woher)\s*(?:\w+\s+)?$|^(?:\w+\s+)?wenn\s+ich\b.*$"
    ),
    idle=_pattern(
        r"^(?:mich\s+hören|mich\s+sehen|mal\s+sehen|nicht|nie|wohl|sehen|hören|sagen|verstehen|sein|anfangen|reden|sprechen\s+wir|"
        r"meinen\s+Bildschirm|warten|weiter|mir\s+(?:vorstellen|denken)|euch\s+(?:sagen|hören)|dich\s+(?:hören|verstehen|sehen)|"
        r"dazu\s+sagen|mache\s+mir\s+Sorgen|frage\s+mich|stelle\s+mir\s+vor|nur\s+sagen|schauen|gucken|beginnen|starten|"
        r"das\s+(?:verstehen|nachvollziehen|bestätigen)|darüber\s+(?:reden|sprechen)|beeilen|aufpassen|sparen|"
        r"(?:den\s+|meinen\s+)?Bildschirm)\b|.*\b(?:Bildschirm|hören)\b|"
        r".*\b(?:bedenken|berücksichtigen|verstehen|überlegen|unterscheiden|annehmen|betrachten|anschauen|ansehen|merken|"
        r"wissen|beachten|akzeptieren|vorstellen|erklären|zeigen|erzählen|sagen)\s*(?:[,.!?]|$)|.*\büber\b.*\b(?:sprechen|reden)\W*$"
    ),
    habit=_pattern(
        r"\b(?:seit|immer|gerade|meistens|normalerweise|oft|manchmal|nie|niemals|nicht|kein\w*|jeden|jedes\s+Mal|früher)\b"
    ),
    referring=_pattern(
        r"^(?:(?:das|es|dies|dann|gern|gerne|gleich|selbst)\s+)*(?:(?:mache|erledige|übernehme|prüfe|kläre|schicke|kümmere)?"
        r"(?:\s*ich)?(?:\s+mich)?(?:\s+(?:das|es|darum|gern|gerne|dann|mal|auch))*|(?:machen|übernehmen|erledigen|tun|klären|prüfen))$"
    ),
    accepting=_pattern(
        r"^(?:(?:ach|na|und)[,\s]+)*(?:ja|klar|gerne?|okay|ok|natürlich|selbstverständlich|mache?\s+ich|geht\s+klar|kein\s+problem|"
        r"wird\s+gemacht|in\s+ordnung|sicher|logo|das\s+(?:mache|kann|erledige|übernehme))\b"
    ),
    declining=_pattern(
        r"^(?:(?:ach|na|oh)[,\s]+)*(?:nein|nee|leider|das\s+geht\s+nicht|das\s+schaffe\s+ich\s+nicht|ich\s+kann\s+nicht)\b"
    ),
    until=_pattern(
        rf"\b(?:bis\s+(?:spätestens\s+)?(?:(?:zum\s+|zur\s+|am\s+)?(?:{_END}|{_NEXT}\s+(?:{_SPAN}|{_WEEKDAY})|{_WEEKDAY}|{_DATE}|{_MONTH})"
        rf"|{_DAY}|dahin)|(?:spätestens\s+)?(?:am\s+(?:{_NEXT}\s+)?(?:{_WEEKDAY}|{_DATE}\s*{_MONTH}?)|{_NEXT}\s+(?:{_SPAN}|{_WEEKDAY})|{_END})"
        rf"|(?-i:heute|übermorgen|morgen)(?:\s+(?:früh|vormittag|mittag|nachmittag|abend))?|in\s+(?:den\s+nächsten\s+)?{_NUMBER}\s+"
        rf"(?:Stunden?|Tagen?|Wochen?)|so\s+(?:schnell|bald)\s+wie\s+möglich|sofort)\b"
    ),
    clause=_pattern(
        r",\s+(?:weil|da|denn|damit|aber|sonst|obwohl|wenn|und\s+(?:er|sie|wir|ihr|dann)|oder|ja|nicht\s+wahr|falls)\b"
    ),
    filler=_pattern(r"\s*\b(?:bitte|mal|halt|eben|ja)\b"),
    decisions=(
        _pattern(
            r"\b(?:wir\s+haben|haben\s+wir)\b(?:\s+\w+,?){0,6}?\s+(?:beschlossen|entschieden|vereinbart|abgestimmt|geeinigt|"
            r"festgelegt|abgemacht)\b"
        ),
        _pattern(r"\bwir\s+(?:einigen|entscheiden)\s+uns\b|\bwir\s+beschließen\b|\beinigen\s+wir\s+uns\b"),
        _pattern(r"\bhalten\s+wir\s+(?:also\s+)?fest\b|\bwir\s+halten\s+(?:also\s+)?fest\b"),
        _pattern(r"\b(?:dann|also)\s+(?:nehmen|machen|verschieben|streichen|kaufen|bestellen|lassen)\s+wir\b"),
        _pattern(r"\bes\s+bleibt\s+(?:dabei|also\s+bei|bei)\b"),
        _pattern(
            r"\b(?:das|damit|es)\s+ist\s+(?:damit\s+|also\s+|hiermit\s+)?(?:beschlossen|entschieden|abgemacht|angenommen)\b"
        ),
        _pattern(r"^(?:beschluss|abgemacht)\b\s*[:,]"),
    ),
    undecided=_pattern(r"\b(?:wenn|falls|ob|nicht|noch|bis|sobald|nachdem|was|bevor)\s*$"),
    openings=_pattern(
        r"\b(?:nächste|erste|zweite|dritte|vierte|letzte|weitere)[rns]?\s+(?:Punkt|Thema|Tagesordnungspunkt|Frage)\b|"
        r"\bThema\s+(?:eins|zwei|drei|vier|fünf|\d+)\b|\bTOP\s+\d+|\bkommen\s+wir\s+(?:nun\s+|jetzt\s+|noch\s+)?(?:zu|zum|zur)\b|"
        r"\bbleib(?:t|en)\s+noch\b|\b(?:weiter|fangen|beginnen|starten)\b[^,.]*\bmit\s+(?:dem|der|den)\b|"
        r"\b(?:jetzt|dann|nun)\s+(?:noch\s+)?(?:zum|zur)\b|\bnoch\s+ein\s+Thema\b|\bsonst\s+noch\s+(?:etwas|was)\b"
    ),
    dangling=_pattern(
        r"^(?:(?:und|aber|also|oder|denn|ja|nein|gut|okay|dann|stimmt|genau|da)[,\s]+)*"
        r"(?:das|es|er|sie|dies|diese|dieser|dieses|die\s+da|ihn|ihm|da|dort|darüber|damit|dazu|so)\b"
    ),
    cues=_pattern(
        r"\b(?:wichtig\w*|Problem\w*|Risiko|Ergebnis\w*|Ziel\w*|Haupt\w*|kostet|Kosten|Budget|Frist|Termin\w*|müssen|beschlossen|"
        r"entschieden|weil|Prozent|Millionen|tausend|Punkt|Plan)\b"
    ),
)
