/* The life of one job: all that the database, Pub/Sub, two workers, the tick, time and people may do to it, in any order.
 *
 * Each inline is one transaction of shared/lifecycle.py or one call of Pub/Sub or Cloud Storage, and bears the name of the
 * function that it stands for. No clock is modelled: a lease may run out and a message may come at any time, so a worker
 * may be as slow, as frozen or as dead as it likes. Misfortunes and people's whims share one budget, TROUBLE, as "every
 * job ends" can only be promised of a world whose troubles end.
 *
 *   -DTROUBLE=n       how much may go wrong
 *   -DLOSSES          Pub/Sub may lose messages, and the tick publishes again what was published too long ago; without it,
 *                     nothing may lean on that
 *   -DENDLESS         look for executions without an end (every_job_ends)
 *   -DBREAK_<guard>   take one guard away: `python -m tests.model` makes sure that spin then finds a way to do harm
 *
 * What is printed appears only when a counterexample is told again.
 */

#ifndef TROUBLE
#define TROUBLE 3
#endif
#define MOST_MESSAGES 2
#define MOST_FAILURES 2

mtype = { queued, running, succeeded, failed, cancelled, superseded };  /* jobs.status */
mtype = { idle, asking, working, uploaded, acking, nacking };           /* what a worker is at */

/* The job's row. */
mtype status = queued;
byte attempt = 0;            /* the fencing token */
byte failures = 0;
byte entry = 1;              /* queued_at: tells one stay in the queue from the next */
bool due = true;             /* not_before has come */
bool published = false;      /* published_at is set */
bool lease = false;          /* lease_until lies ahead */
byte holder = 0;             /* worker; 0 for none */

bool paused = false;         /* the whole queue is: nothing is published, nothing claimed */

/* Pub/Sub: messages that wait; whether a worker has one that it may still answer. */
byte messages = 0;
bool delivered[3];

/* Cloud Storage: one bit for each attempt's prefix; whether the source was overwritten or deleted. */
byte files = 0;
bool gone = false;

/* The workers, 1 and 2: what each is at, and the attempt under which it believes to hold the job. */
mtype at[3] = idle;
byte hold[3] = 0;

byte trouble = TROUBLE;

/* What the properties talk about, and nothing else reads. */
byte commits = 0;
byte winner = 0;             /* artifacts.attempt */
bool reopened = false;       /* a final state was left, and not by a person's retry */

#define FINAL (status == succeeded || status == failed || status == cancelled || status == superseded)
#define BIT(n) (1 << (n))
#define NOWHERE (messages == 0 && !delivered[1] && !delivered[2])
#define WORKS(w) (at[w] == working || at[w] == uploaded)

/* The guards, whole and broken. MINE is the WHERE of everything that a worker does to a job that it holds. */
#if defined(BREAK_FENCE)
#define MINE(w) (status == running)
#elif defined(BREAK_STATUS)
#define MINE(w) (attempt == hold[w])
#elif defined(BREAK_BOTH)
#define MINE(w) (true)
#else
#define MINE(w) (status == running && attempt == hold[w])
#endif

#define FREE (!paused && ((status == queued && due) || (status == running && !lease)))

#ifdef BREAK_CANCEL
#define MAY_CANCEL (status != succeeded && status != cancelled)
#else
#define MAY_CANCEL (status == queued || status == running)
#endif

/* What a publisher remembers of the stay in the queue that it publishes. Once that was the attempt. */
#ifdef BREAK_MARK
#define STAY (attempt + 1)
#else
#define STAY entry
#endif

/* Prefixes that the sweep may delete: of attempts that have ended and have not won. */
#define WON (winner != 0 -> BIT(winner) : 0)
#ifdef BREAK_SWEEP
#define OPEN 0
#else
#define OPEN (status == running -> BIT(attempt) : 0)
#endif
#define LEFTOVERS (files & ~(WON | OPEN))


/* Changes of the row that several transactions make. */

inline become(state) { reopened = reopened || FINAL; status = state; lease = false; holder = 0 }

inline announce_anew() {     /* another stay in the queue, of which nobody has told a worker */
  entry++;
#ifndef BREAK_PUBLISHED
  published = false
#endif
}

inline queue() { become(queued); announce_anew() }

inline count_failure() {
  failures++;
  if
  :: failures < MOST_FAILURES -> queue(); due = false
  :: else -> become(failed)
  fi
}


/* Pub/Sub. A message that would be one too many is only one more of its kind. */

inline send() { if :: messages < MOST_MESSAGES -> messages++ :: else fi }
inline deliver_again(w) { if :: delivered[w] -> delivered[w] = false; send() :: else fi }


/* A worker: intake.py, attempt.py, hold.py, ledger.py, receipts.py. */

inline pull(w) {
  d_step { at[w] == idle && messages > 0 ->
    messages--; delivered[w] = true; at[w] = asking;
    printf("worker %d pulls a message\n", w) }
}
inline claim(w) {
  d_step { at[w] == asking && FREE ->
    status = running; attempt++; lease = true; holder = w; hold[w] = attempt; at[w] = working;
    printf("worker %d claims the job: attempt %d\n", w, attempt) }
}
inline claim_unheard(w) {    /* the connection breaks before the answer; asked again, the job is somebody's: its own */
  d_step { at[w] == asking && FREE && trouble > 0 ->
    trouble--; status = running; attempt++; lease = true; holder = w; at[w] = acking;
    printf("worker %d claims the job, attempt %d, and does not hear of it\n", w, attempt) }
}
inline claim_refused(w) {    /* final, not due, paused or somebody else's: the tick publishes what becomes due */
  d_step { at[w] == asking && !(FREE) ->
    at[w] = acking;
#ifndef BREAK_PAUSE
    if :: paused && status == queued -> announce_anew() :: else fi;  /* its message is spent */
#endif
    printf("worker %d finds nothing to claim: the job is %e\n", w, status) }
}
inline renew(w) {            /* revives a lease that has run out and that nobody has taken */
  d_step { WORKS(w) && MINE(w) && !lease ->
    lease = true;
    printf("worker %d renews its lease\n", w) }
}
inline fenced(w) {           /* it answers nothing: the message comes again when its deadline has run out */
  d_step { WORKS(w) && !(MINE(w)) ->
    at[w] = nacking;
    printf("worker %d finds that it holds the job no more\n", w) }
}
inline upload(w) {
  d_step { at[w] == working ->
    files = files | BIT(hold[w]); at[w] = uploaded;
    printf("worker %d uploads the files of attempt %d\n", w, hold[w]) }
}
inline commit(w) {
  d_step { at[w] == uploaded && MINE(w) ->
    become(succeeded); commits++; winner = hold[w]; at[w] = acking;
    printf("worker %d commits attempt %d\n", w, hold[w]) }
}
inline fail(w) {
  d_step { WORKS(w) && MINE(w) && trouble > 0 ->
    trouble--; count_failure(); at[w] = acking;
    printf("worker %d fails: the job is %e\n", w, status) }
}
inline fail_for_good(w) {
  d_step { WORKS(w) && MINE(w) && trouble > 0 ->
    trouble--; become(failed); at[w] = acking;
    printf("worker %d fails for good\n", w) }
}
inline supersede(w) {
  d_step { at[w] == working && gone && MINE(w) ->
    become(superseded); at[w] = acking;
    printf("worker %d finds the source gone\n", w) }
}
inline release(w) {          /* preempted, or stopped: first the lease, then the nack */
  d_step { WORKS(w) && MINE(w) && trouble > 0 ->
    trouble--; queue(); at[w] = nacking;
    printf("worker %d is preempted and releases the job\n", w) }
}
inline acknowledge(w) {
  d_step { at[w] == acking ->
    delivered[w] = false; at[w] = idle; hold[w] = 0;
    printf("worker %d acknowledges its message\n", w) }
}
inline give_back(w) {
  d_step { at[w] == nacking ->
    deliver_again(w); at[w] = idle; hold[w] = 0;
    printf("worker %d's message goes back to Pub/Sub\n", w) }
}

proctype worker(byte w) {
  do
  :: pull(w)
  :: claim(w)
  :: claim_unheard(w)
  :: claim_refused(w)
  :: renew(w)
  :: fenced(w)
  :: upload(w)
  :: commit(w)
  :: fail(w)
  :: fail_for_good(w)
  :: supersede(w)
  :: release(w)
  :: acknowledge(w)
  :: give_back(w)
  od
}


/* shared/queue.py: list, publish, note it. The tick does so, and whoever records or retries a job. */

inline unpublished() {
  d_step { seen == 0 && !paused && status == queued && due && !published ->
    seen = STAY;
    printf("the publisher lists the job\n") }
}
inline forgotten() {         /* published longer ago than Pub/Sub keeps messages */
  d_step { seen == 0 && !paused && status == queued && due && published && NOWHERE ->
    seen = STAY;
    printf("the publisher lists the job, as its message must be gone\n") }
}
inline publish() {
  d_step { seen != 0 && !sent ->
    send(); sent = true;
    printf("the publisher sends a message\n") }
}
inline mark_published() {
  d_step { sent ->
    if :: status == queued && STAY == seen -> published = true :: else fi;
    sent = false; seen = 0;
    printf("the publisher notes that; published is %d\n", published) }
}
inline dies_before_the_mark() {
  d_step { sent && trouble > 0 ->
    trouble--; sent = false; seen = 0;
    printf("the publisher dies before it notes that\n") }
}

active proctype publisher() {
  byte seen;
  bool sent;
  do
  :: unpublished()
#ifdef LOSSES
  :: forgotten()
#endif
  :: publish()
  :: mark_published()
  :: dies_before_the_mark()
  od
}


/* services/dispatcher: the tick's other duties. A sweep looks first and deletes later. */

inline expire() {
  d_step { status == running && !lease ->
    queue();
    printf("the tick finds the lease run out and queues the job\n") }
}

active proctype tick() {
  do
  :: expire()
  od
}

active proctype sweep() {
  byte doomed;
  do
  :: d_step { LEFTOVERS != 0 -> doomed = LEFTOVERS; printf("the sweep finds leftovers\n") };
     d_step { files = files & ~doomed; doomed = 0; printf("the sweep deletes them\n") }
  od
}


/* Time goes by. */

active proctype time() {
  do
  :: d_step { status == queued && !due -> due = true; printf("the job becomes due\n") }
  :: d_step { status == running && lease && hold[1] != attempt && hold[2] != attempt ->
       lease = false; printf("nobody renews the lease, and it runs out\n") }
  :: d_step { paused -> paused = false; printf("a person ends the pause\n") }
  od
}

#ifdef ENDLESS
/* Where nothing can happen any more, the night still follows the day: spin looks for executions without an end. */
bool dark;
active proctype night() { do :: dark = !dark od }
#endif


/* Misfortunes and whims. They may stop at any time, so that nothing can rely on them. */

inline run_out() {
  d_step { trouble > 0 && status == running && lease ->
    trouble--; lease = false;
    printf("the lease runs out, as its worker is late or frozen\n") }
}
inline time_out(w) {
  d_step { trouble > 0 && delivered[w] ->
    trouble--; deliver_again(w);
    printf("the ack deadline of worker %d's message runs out\n", w) }
}
inline double() {
  d_step { trouble > 0 && messages > 0 ->
    trouble--; send();
    printf("Pub/Sub doubles a message\n") }
}
inline lose() {
  d_step { trouble > 0 && messages > 0 ->
    trouble--; messages--;
    printf("Pub/Sub loses a message\n") }
}
inline power_cut(w) {        /* all that the worker knew is gone */
  d_step { trouble > 0 ->
    trouble--; deliver_again(w); at[w] = idle; hold[w] = 0;
    printf("worker %d loses its power\n", w) }
}
inline recover_lost(w) {     /* it is back, on another boot or with a step stored */
  d_step { at[w] == idle && hold[w] == 0 && status == running && holder == w ->
    queue();
    printf("worker %d is back and queues what it held\n", w) }
}
inline recover_failed(w) {   /* it is back on the same boot, with no step stored: the file may have killed it */
  d_step { at[w] == idle && hold[w] == 0 && status == running && holder == w ->
    count_failure();
    printf("worker %d is back and counts a failure: the job is %e\n", w, status) }
}
inline supersede_deleted() {
  d_step { trouble > 0 && !gone ->
    trouble--; gone = true;
    if :: status == queued -> become(superseded) :: else fi;
    printf("the source is overwritten or deleted\n") }
}
inline cancel() {
  d_step { trouble > 0 && MAY_CANCEL ->
    trouble--; become(cancelled);
    printf("a person cancels the job\n") }
}
inline pause() {
  d_step { trouble > 0 && !paused ->
    trouble--; paused = true;
    printf("a person pauses the queue\n") }
}
inline reannounce() {        /* its message was set aside as a dead letter, or so somebody believes */
  d_step { trouble > 0 && status == queued ->
    trouble--; announce_anew();
    printf("a person has the job announced anew\n") }
}
inline retry() {             /* the one way out of a final state */
  d_step { trouble > 0 && (status == failed || status == cancelled) ->
    trouble--; failures = 0; status = queued; queue(); due = true;
    printf("a person retries the job\n") }
}

active proctype world() {
  do
  :: run_out()
  :: time_out(1)
  :: time_out(2)
  :: double()
#ifdef LOSSES
  :: lose()
#endif
  :: power_cut(1)
  :: power_cut(2)
  :: recover_lost(1)
  :: recover_lost(2)
  :: recover_failed(1)
  :: recover_failed(2)
  :: supersede_deleted()
  :: cancel()
  :: pause()
  :: reannounce()
  :: retry()
  :: break
  od
}

init { atomic { run worker(1); run worker(2) } }


ltl at_most_one_commit        { [] (commits <= 1) }
ltl only_the_holder_commits   { [] (status == succeeded -> winner == attempt) }
ltl final_states_stay         { [] !reopened }
ltl success_is_for_ever       { [] (status == succeeded -> [] (status == succeeded)) }
ltl published_files_stay      { [] (status == succeeded -> (files & BIT(winner)) != 0) }
ltl announced                 { [] (status == queued && due && published -> !NOWHERE) }  /* without LOSSES */
ltl every_job_ends            { <> [] FINAL }                                            /* under weak fairness */
