# ruff: noqa: E501 - a line is a segment
"""Meetings written by hand, with what a minute-taker would note, to measure the extractive analysis by.

A line is one segment: ``S1: what is said``. ``# title`` begins a topic. Behind ``=>`` stands what the line settles:
``decided``, or ``do WHO | until`` for an action item, ``-`` where there is no who or until. The rules were written
while looking at ``LAUNCH`` and ``UMZUG``; ``CLINIC`` and ``VEREIN`` were written before the rules, and are only
measured.
"""

from dataclasses import dataclass

from shared.transcript.schema import Segment, Transcript

#: Seconds that a word takes, and the pause between two segments.
WORD_SECONDS, PAUSE_SECONDS = 0.4, 0.6


@dataclass(frozen=True, slots=True)
class Due:
    """An action item that a reader finds in the segment at ``index``."""

    index: int
    who: str | None
    until: str | None


@dataclass(frozen=True, slots=True)
class Meeting:
    """A transcript and its minutes."""

    transcript: Transcript
    topics: tuple[int, ...]  #: first segments of the topics
    decisions: tuple[int, ...]
    actions: tuple[Due, ...]


def talk(language: str, *lines: str, task: str = "transcribe") -> Transcript:
    """Make a transcript of lines such as ``S1: Hello.``."""
    segments = []
    for index, line in enumerate(lines):
        speaker, _, text = line.partition(": ")
        segments.append(Segment(start=4.0 * index, end=4.0 * index + 3.5, speaker=speaker or None, text=text))
    return Transcript.model_validate(
        {"duration": 4.0 * len(lines), "language": language, "model": "by hand", "task": task, "segments": segments}
    )


def meeting(language: str, text: str) -> Meeting:
    """Read a meeting."""
    segments: list[Segment] = []
    topics: list[int] = []
    decisions: list[int] = []
    actions: list[Due] = []
    clock = 0.0
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("#"):
            topics.append(len(segments))
            continue
        said, _, noted = line.partition("=>")
        speaker, _, words = said.partition(": ")
        for note in filter(None, map(str.strip, noted.split(";"))):
            if note == "decided":
                decisions.append(len(segments))
            else:
                who, until = (part.strip() for part in note.removeprefix("do ").split("|"))
                actions.append(Due(len(segments), None if who == "-" else who, None if until == "-" else until))
        end = clock + WORD_SECONDS * len(words.split())
        segments.append(Segment(start=round(clock, 2), end=round(end, 2), speaker=speaker, text=words.strip()))
        clock = end + PAUSE_SECONDS
    transcript = Transcript(duration=clock, language=language, model="by hand", segments=tuple(segments))
    return Meeting(transcript, tuple(topics), tuple(decisions), tuple(actions))


LAUNCH = meeting(
    "en",
    """
    # Opening
    S1: Okay, good morning everyone, can you hear me?
    S2: Yes, loud and clear. Can you see my screen?
    S3: Yep. Tom is running a bit late, he texted me.
    S1: Alright. I'll keep it short today because some of us have a train to catch. Let's get started.
    # Launch of the new checkout
    S1: First point is the launch of the new checkout page. Priya, where are we?
    S2: So, the checkout is basically feature complete. We merged the payment form last night, and the address lookup works in staging.
    S2: What's still open is the error handling when the payment provider times out. At the moment the customer just sees a blank page, which is of course not acceptable.
    S3: Right. And how long would it take to fix the blank page?
    S2: I'd say two days, maybe three. I will finish the timeout handling by Wednesday. => do S2 | by Wednesday
    S1: Great. And what about the load test? Last time the checkout broke with four hundred parallel customers.
    S3: We haven't run the load test against the new checkout yet. I can set that up on Thursday once Priya is done. => do S3 | on Thursday
    S2: That would be super helpful, thank you.
    S1: Okay, so then is the launch date of the twentieth still realistic?
    S2: Honestly, I don't think so. If the load test shows problems, we have no time left to fix the payment form.
    S3: I agree with Priya. I would rather launch the checkout one week later than explain to customers why their payment failed.
    S1: Fair enough. Then we've decided to move the launch of the checkout to the twenty seventh. => decided
    S1: Priya, could you please tell the support team about the new launch date before they send out the newsletter? => do S2 | this afternoon
    S2: Sure, I'll do that this afternoon.
    # Budget for the data center
    S1: Good. Next point, the hosting budget. Tom, welcome, you're just in time.
    S4: Sorry, the train was late. So, hosting. We spent eleven thousand dollars on cloud servers last month, and the budget was eight thousand.
    S1: That's quite a lot. Where does the extra money go?
    S4: Most of the cost comes from the analytics cluster. It runs day and night, but the analysts only use it during office hours.
    S3: Couldn't we just switch the cluster off at night?
    S4: We could. That would save roughly forty percent of the server cost, according to my spreadsheet.
    S1: Forty percent sounds good. Does anybody see a risk?
    S3: The nightly reports run on that cluster at two in the morning. If the servers are off, the finance department gets no numbers.
    S4: True, I forgot about the nightly reports. We would have to move the reports to seven in the morning.
    S1: Okay, can you check with finance whether seven in the morning is early enough? => do S4 | by Tuesday
    S4: Yes, I'll ask them by Tuesday.
    S1: And apart from that we agreed that the analytics cluster gets switched off between eight in the evening and six in the morning, yes? => decided
    S3: Yes.
    S4: Fine with me. The budget for the servers should be back to normal by next quarter then.
    # Hiring
    S1: Lovely. Now hiring. We had five candidates for the backend developer position, and two of them were really strong.
    S3: I liked the second candidate, the one who worked on compilers. Her interview was the best we had in a year.
    S2: Same here. The coding exercise of the other candidate was a bit messy, I thought, although the interview went well.
    S1: What salary did the compiler candidate ask for?
    S3: Within our range, at the upper end. She can start in March.
    S1: I think that is okay. Let's make her an offer then. => decided; do - | -
    S3: I'll call the recruiter tomorrow and tell her about the offer. => do S3 | tomorrow
    S1: Perfect. And somebody needs to write to the other candidates, they've waited for two weeks.
    S2: I can write the rejection letters. => do S2 | -
    S1: Thank you Priya. Please be kind to them, the developer market is small.
    S3: We should also update the job posting for the designer position, it still mentions the old office. => do - | -
    S1: Good catch.
    # Team event
    S1: Last topic, the summer party. Any ideas where we could go?
    S4: What about the boat trip we did two years ago? People loved the boat.
    S2: The boat was great, but half of the team got seasick, remember?
    S4: Okay, no boat. Then maybe the climbing park, or just a barbecue in the garden.
    S3: A barbecue in the garden is easy, and families could come along.
    S1: I like the barbecue. Shall we vote? Barbecue, hands up. Four out of four. We'll go with the barbecue then. => decided
    S4: I'll book the garden and send everyone an invitation by the end of the week. => do S4 | by the end of the week
    S1: Wonderful. Anything else? No? Then thank you all, I'll talk to you next week.
    S2: Thanks, bye.
    """,
)

CLINIC = meeting(
    "en",
    """
    # Appointments
    S1: Right, shall we begin? Doctor Meyer won't make it today, she has an emergency.
    S2: No problem. Did everybody get the figures about the missed appointments?
    S3: I did, yes. It's shocking, one in six patients doesn't show up for the appointment.
    S1: Exactly. And every missed appointment costs us twenty minutes that another patient could have used.
    S2: The dentist across the street sends a text message to the patient a day before. They say it halved the missed appointments.
    S3: We could do that as well, our booking software supports text messages since the last update.
    S1: Do the patients have to consent to text messages?
    S2: I believe so. I'll check the privacy rules with our lawyer by Monday. => do S2 | by Monday
    S3: And I am going to try the text messages with our test numbers this week. => do S3 | this week
    S1: Good. So the decision is that we introduce reminders by text message in May, if the lawyer has no objection. => decided
    S3: Sounds good.
    # Vaccine storage
    S1: Then the fridge. I heard the fridge for the vaccines failed on Saturday night?
    S3: Yes. The temperature went up to twelve degrees, and we had to throw away forty doses of vaccine.
    S2: Forty doses! Why did nobody notice that the fridge was warm?
    S3: The alarm went to the phone in the reception, and on weekends nobody sits there.
    S1: That must never happen again. Maria, can you order a second fridge, please? => do S3 | -
    S3: Of course. The model with the battery costs about two thousand.
    S1: That's okay, vaccines are more expensive than that.
    S2: And the alarm should go to a mobile phone. We need to set up a rota for the weekends. => do - | -
    S1: I will write the rota until Thursday, and everybody can swap afterwards. => do S1 | until Thursday
    S3: If I have to carry the alarm phone, I'd prefer the first weekend of the month.
    S1: Noted.
    # Parking
    S2: Can we talk about parking for a minute? Patients keep complaining that there are no parking spaces.
    S1: I know. The neighbours park their cars on our parking spaces all day.
    S3: Other clinics have put up a barrier, with a ticket from the reception.
    S2: A barrier costs fifteen thousand, I asked last year. And old people struggle with the ticket machine.
    S1: That's too expensive, I think. What about signs that say for patients only?
    S3: Signs are cheap, but nobody reads them.
    S2: You could have cars towed if there's a sign, though. Without a sign you can't.
    S1: Good point. Then we will go with the signs and see how it works until autumn. => decided
    S2: Could you ask the landlord whether we may put signs on the wall? => do S1 | tomorrow
    S1: Yes, I'm meeting the landlord tomorrow anyway.
    # Closing
    S1: Okay, what else? I think that was everything on my list.
    S3: Just one thing, the coffee machine is broken again.
    S2: I'll bring my old one from home. => do S2 | -
    S1: You're a hero. See you all next month.
    """,
)

UMZUG = meeting(
    "de",
    """
    # Beginn
    S1: So, guten Morgen zusammen. Könnt ihr mich alle hören?
    S2: Ja, alles gut.
    S3: Ich höre dich, aber das Bild ist noch schwarz.
    S1: Moment, ich teile mal meinen Bildschirm. So, jetzt müsste es gehen.
    # Umzug ins neue Büro
    S1: Thema eins ist der Umzug ins neue Büro. Der Vermieter hat uns gestern die Schlüssel für das Büro übergeben.
    S2: Sehr gut. Ist der Teppich schon verlegt?
    S1: In zwei Räumen ja, im großen Besprechungsraum fehlt der Teppich noch. Der Handwerker kommt am Montag.
    S3: Und wie sieht es mit dem Internet aus? Ohne Internet können wir im neuen Büro nicht arbeiten.
    S1: Der Anschluss ist bestellt, aber die Telekom hat noch keinen Termin genannt.
    S2: Ich rufe morgen bei der Telekom an und frage nach dem Termin. => do S2 | morgen
    S1: Danke, Sabine. Wer kümmert sich um die Umzugsfirma?
    S3: Das kann ich machen. Ich hole bis Freitag drei Angebote ein. => do S3 | bis Freitag
    S1: Super. Wir haben letzte Woche beschlossen, dass jeder seinen Schreibtisch selbst packt, das bleibt so. => decided
    S2: Kisten bekommen wir von der Umzugsfirma, oder?
    S3: Ja, die Kisten sind bei den Angeboten dabei.
    S1: Dann halten wir fest: Der Umzug ins Büro ist am fünfzehnten März. => decided
    # Messe
    S1: Gut, nächster Punkt, die Messe in Hannover. Thomas, wie weit ist der Messestand?
    S3: Der Messestand ist gebucht, achtzehn Quadratmeter in Halle sieben. Teurer als im letzten Jahr, aber dafür direkt am Eingang.
    S2: Halle sieben ist gut, da laufen alle Besucher vorbei.
    S3: Was noch fehlt, sind die Broschüren. Die alten Broschüren zeigen noch das Produkt vom vorletzten Jahr.
    S1: Sabine, kannst du bitte die Broschüren überarbeiten? => do S2 | bis Ende des Monats
    S2: Ja, mache ich. Bis Ende des Monats sind die Broschüren fertig.
    S3: Und wir müssen noch jemanden finden, der am Messestand Englisch spricht. => do - | -
    S1: Da frage ich mal die Kollegen aus dem Vertrieb, ob jemand zur Messe mitkommt. => do S1 | -
    S2: Brauchen wir eigentlich wieder die Kaffeebar am Messestand? Die Besucher fanden die Kaffeebar super.
    S3: Die Kaffeebar hat uns allerdings dreitausend Euro gekostet.
    S1: Hm, das ist viel Geld. Wir einigen uns darauf, dass es diesmal nur Wasser und Kekse gibt. => decided
    S2: Schade, aber in Ordnung.
    # Urlaubsplanung
    S1: Letzter Punkt, die Urlaubsplanung für den Sommer. Bisher haben nur vier Kollegen ihren Urlaub eingetragen.
    S2: Ich würde gern die ersten drei Wochen im August Urlaub nehmen, da sind Schulferien.
    S3: August ist bei mir auch der Plan. Dann wäre im August niemand für die Kunden da.
    S1: Einer von euch müsste den Urlaub verschieben. Die Kunden brauchen auch in den Schulferien einen Ansprechpartner.
    S3: Ich kann meinen Urlaub in den Juli legen, unsere Kinder gehen noch nicht zur Schule. => do S3 | -
    S1: Das ist nett von dir. Bitte tragt euren Urlaub bis zum Ende der Woche in den Kalender ein. => do - | bis zum Ende der Woche
    S2: Ich schicke allen heute noch den Link zum Kalender. => do S2 | heute
    S1: Prima. Dann war es das von mir. Schönes Wochenende euch allen.
    S3: Tschüss zusammen.
    """,
)

VEREIN = meeting(
    "de",
    """
    # Sportfest
    S1: Herzlich willkommen zur Sitzung. Wir fangen gleich mit dem Sportfest an.
    S2: Beim letzten Sportfest hatten wir dreihundert Besucher, und die Würstchen waren um drei Uhr ausverkauft.
    S3: Diesmal sollten wir mehr Würstchen bestellen, und auch etwas für Vegetarier.
    S1: Petra, könntest du beim Metzger nach einem Angebot fragen? => do S2 | nächste Woche
    S2: Ja klar, das erledige ich nächste Woche.
    S3: Ich organisiere die Zelte für das Sportfest, der Verein in Neustadt verleiht welche. => do S3 | -
    S1: Sehr schön. Und die Musik? Spielt wieder die Blaskapelle?
    S2: Die Blaskapelle ist an dem Tag leider schon vergeben.
    S1: Dann nehmen wir diesmal den DJ aus der Jugendabteilung. => decided
    S3: Das wird die Jugend freuen.
    # Turnhalle
    S1: Kommen wir zur Turnhalle. Das Dach der Turnhalle ist undicht, beim letzten Regen stand Wasser auf dem Hallenboden.
    S2: Das Wasser läuft am Fenster herunter, der Hallenboden wölbt sich schon.
    S3: Wer zahlt denn die Reparatur vom Dach, die Stadt oder der Verein?
    S1: Die Turnhalle gehört der Stadt. Ich werde bis Dienstag einen Brief an das Bauamt schreiben. => do S1 | bis Dienstag
    S2: Und wo trainieren die Kinder so lange? In der nassen Turnhalle ist es zu gefährlich.
    S3: Die Grundschule hat eine kleine Halle, die ist am Nachmittag frei.
    S1: Gut, wir haben uns also darauf geeinigt, dass die Kinder in der Grundschule trainieren, bis das Dach repariert ist. => decided
    S3: Ich spreche morgen mit der Rektorin der Grundschule. => do S3 | morgen
    # Beiträge
    S1: Bleiben noch die Mitgliedsbeiträge. Die Kasse ist fast leer, Petra, oder?
    S2: So ist es. Die Mitgliedsbeiträge sind seit zehn Jahren gleich, aber die Versicherung kostet das Doppelte.
    S3: Wenn wir die Beiträge erhöhen, treten bestimmt einige Mitglieder aus.
    S2: Zwei Euro im Monat mehr, das verstehen die Mitglieder. Für Kinder bleibt der Beitrag gleich.
    S1: Darüber muss die Mitgliederversammlung abstimmen, das können wir nicht allein entscheiden.
    S2: Stimmt. Ich bereite für die Versammlung eine Übersicht der Kasse vor. => do S2 | -
    S1: Danke. Dann schließe ich die Sitzung. Kommt gut nach Hause.
    """,
)
