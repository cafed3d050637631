/*
 * The changelog of one task, the instances that may own the task, and their local stores: is any visit ever lost or counted twice?
 * Run by scripts/model.js, which sets the bounds. A step of a process is what can happen between two crashes. Offsets here are places
 * among the records that still stand: what compaction took away leaves no hole.
 *
 * Simpler than the program: a commit follows each visit; a takeover reads in one step; a retried append may hold other
 * rows than the one without an answer (which is more than may happen); somebody owns the task again within the lag; barriers
 * are not tombstoned but vanish when all have passed them; Redis is not lost; producers are not forgotten. That a checkpoint was written behind
 * a later barrier is a flag here, where the program tells it by the offset at which its owner expected it to stand. What an owner does that
 * was away for longer than the lag, or folds anew, is for the simulation of the program itself (test/simulation/).
 *
 * That a later barrier ends an owner is no rule whose absence the model calls wrong: owners who never stop write one another's
 * rows again without end, which is no wrong count. The barrier is what makes that end, and what tells a stale record from others.
 */

#ifndef INSTANCES
#define INSTANCES 2         /* that may believe at once that they own the task */
#endif
#ifndef TAKEOVERS
#define TAKEOVERS 3
#endif
#ifndef CRASHES
#define CRASHES 1           /* beside owners that fall silent, which any may at any time */
#endif
#ifndef LOSSES
#define LOSSES 1            /* of a local store */
#endif
#ifndef STRAYS
#define STRAYS 1            /* appends without an answer: tried again, and perhaps in the changelog later, or never */
#endif
#ifndef RECORDS
#define RECORDS 9           /* that stand in the changelog at once */
#endif

/* The partition of visits, offsets 0 to 3: links 0, 1, 0, 0. The third is the first one sent again. */
#define VISITS 4
#define LINK(offset) ((offset) == 1)
#define SEQUENCE(offset) ((offset) == 3 -> 2 : (offset) & 1)
/* Distinct identities of a link. */
#define TRUTH(link) (2 - (link))

/* A row's version is the offset of its last visit, plus one. */
#define ROW 0               /* ROW + link: version, count */
#define CHECKPOINT 2        /* version: next offset of the visits; count: watermark there (the next sequence that counts) */
#define BARRIER 3
typedef Record {
  byte kind; byte version; byte count;
  bool stale;               /* written behind the barrier of a later owner */
  byte resend               /* the epoch that wrote it, if it is a stray of that epoch's append under way */
};
Record changelog[RECORDS];
byte end;                   /* where the next record will stand */
byte barriers;              /* so far. An owner's epoch is the place of its barrier among them */

#define AWAY 0              /* not an owner; its store may be there */
#define CLAIMED 1           /* its barrier is in the changelog */
#define RUNNING 2           /* believes that it is the owner */

#define BOTH 3              /* bits of the links */
#define WITH_CHECKPOINT 4   /* one more bit in what an append holds */

typedef Instance {
  byte state;
  /* The local store, which survives a crash. What one step changes of it is one atomic batch. */
  byte version[2]; byte count[2];
  byte readFrom;            /* position in the changelog: the store contains what stands before it */
  byte keptNext; byte keptWatermark;
#ifdef LOCAL_WATERMARKS_INSTEAD_OF_CHECKPOINTS
  byte storedWatermark; bool stored;
#endif
  /* The owner's memory. */
  byte epoch;
  byte next; byte watermark;
  byte position;            /* what stands before it is known: the base offset that the next append must get */
  byte dirty;               /* links whose rows the changelog lacks */
  bool restless;            /* the changelog holds something stale that this owner has not yet written over */
  byte checkpointed;        /* next offset of the last checkpoint that it wrote, plus one */
#ifdef REDIS
  byte unpushed;            /* links whose rows Redis lacks, as far as this owner knows */
#endif
  bool flushing;
  byte todo;                /* links of this flush that are not yet appended */
  byte flushedNext; byte flushedWatermark;
  byte unanswered; byte base; byte behind /* the append that stands in the changelog and is not yet verified, and what stands behind it */
};
Instance instance[INSTANCES];
#define my instance[me]

#ifdef REDIS
byte redisVersion[2], redisCount[2];
#endif

typedef Stray { byte holds; byte version[2]; byte count[2]; byte next; byte watermark; byte epoch; bool underWay };
Stray stray;
byte strays, crashes, losses;

/* Used within a step only. */
hidden byte i, j, k, upTo, found, foundWatermark;
hidden byte fenced, held;
hidden byte last[2], seen[2], seenCount[2];

/* Whoever restores an empty store from the changelog as it stands now, and folds the rest of the visits, must count the truth. */
inline checkChangelog() {
  seen[0] = 0; seen[1] = 0; seenCount[0] = 0; seenCount[1] = 0; found = 0; foundWatermark = 0;
  i = 0;
  do
  :: i < end ->
     if
     :: changelog[i].kind == CHECKPOINT && !changelog[i].stale -> found = changelog[i].version; foundWatermark = changelog[i].count
     :: changelog[i].kind < CHECKPOINT && changelog[i].version > seen[changelog[i].kind] ->
        seen[changelog[i].kind] = changelog[i].version;
        seenCount[changelog[i].kind] = changelog[i].count
     :: else
     fi;
     i++
  :: else -> break
  od;
  do
  :: found < VISITS ->
     if
     :: SEQUENCE(found) >= foundWatermark ->
        foundWatermark = SEQUENCE(found) + 1;
        if
        :: seen[LINK(found)] <= found -> seen[LINK(found)] = found + 1; seenCount[LINK(found)]++
        :: else
        fi
     :: else
     fi;
     found++
  :: else -> break
  od;
  assert(seenCount[0] == TRUTH(0) && seenCount[1] == TRUTH(1));
  i = 0; found = 0; foundWatermark = 0; seen[0] = 0; seen[1] = 0; seenCount[0] = 0; seenCount[1] = 0
}

inline append(aKind, aVersion, aCount, anEpoch, aResend) {
  changelog[end].kind = aKind;
  changelog[end].version = aVersion;
  changelog[end].count = aCount;
  changelog[end].stale = anEpoch < barriers;
  changelog[end].resend = aResend;
  end++
}

/* Takes away the record at `at`. */
inline take(at) {
  i = at;
  do
  :: i + 1 < end ->
     changelog[i].kind = changelog[i + 1].kind;
     changelog[i].version = changelog[i + 1].version;
     changelog[i].count = changelog[i + 1].count;
     changelog[i].stale = changelog[i + 1].stale;
     changelog[i].resend = changelog[i + 1].resend;
     i++
  :: else -> break
  od;
  end--;
  changelog[end].kind = 0; changelog[end].version = 0; changelog[end].count = 0;
  changelog[end].stale = 0; changelog[end].resend = 0;
  i = 0;
  do
  :: i < INSTANCES ->
     instance[i].position = instance[i].position - (instance[i].position > at);
     instance[i].base = instance[i].base - (instance[i].base > at);
     instance[i].behind = instance[i].behind - (instance[i].behind > at);
     instance[i].readFrom = instance[i].readFrom - (instance[i].readFrom > at);
     i++
  :: else -> break
  od;
  i = 0
}

/* found: 1 when a later record of the key of the one at `at` stands in the changelog, 2 when one of them is at least as new. */
inline findLater(at) {
  found = 0; upTo = 0;
  i = at + 1;
  do
  :: i < end ->
     if
     :: changelog[i].kind == changelog[at].kind ->
        upTo = i;
        found = (changelog[i].version >= changelog[at].version || found == 2 -> 2 : 1)
     :: else
     fi;
     i++
  :: else -> break
  od;
  i = 0
}

/* A barrier that all have passed says nothing any more. With -DEAGER, what has a later record that is as new goes at once. */
inline tidy() {
  j = 0;
  do
  :: j < end ->
     held = true;
     if
     :: changelog[j].kind == BARRIER ->
        i = 0; held = false;
        do
        :: i < INSTANCES -> held = held || (instance[i].state != AWAY && instance[i].position <= j); i++
        :: else -> break
        od
#ifdef EAGER
     :: changelog[j].kind != BARRIER -> findLater(j); held = found != 2
#endif
     :: else
     fi;
     if
     :: held -> j++
     :: else -> take(j)
     fi
  :: else -> break
  od;
  i = 0; j = 0; found = 0; upTo = 0; held = false
}

inline loseStore(me) {
  my.version[0] = 0; my.version[1] = 0; my.count[0] = 0; my.count[1] = 0;
  my.readFrom = 0; my.keptNext = 0; my.keptWatermark = 0
#ifdef LOCAL_WATERMARKS_INSTEAD_OF_CHECKPOINTS
  ; my.storedWatermark = 0; my.stored = false
#endif
}

/* The append under way is over, or its owner is: what strays of it is no resend any more. */
inline endAppend(me) {
  i = 0;
  do
  :: i < end -> changelog[i].resend = (changelog[i].resend == my.epoch -> 0 : changelog[i].resend); i++
  :: else -> break
  od;
  i = 0;
  stray.underWay = stray.underWay && stray.epoch != my.epoch
}

inline leave(me) {
  endAppend(me);
  my.state = AWAY;
  my.epoch = 0; my.next = 0; my.watermark = 0; my.position = 0; my.dirty = 0; my.restless = false; my.checkpointed = 0;
#ifdef REDIS
  my.unpushed = 0;
#endif
  my.flushing = false; my.todo = 0; my.flushedNext = 0; my.flushedWatermark = 0; my.unanswered = 0; my.base = 0; my.behind = 0;
  if
  :: barriers == TAKEOVERS -> loseStore(me) /* Nobody will open it again. */
  :: else
  fi;
  tidy()
}

/* Reads what others wrote, from `position` up to `upTo`. */
inline readGap(me) {
  fenced = false;
  i = my.position;
  do
  :: i < upTo ->
     if
     :: changelog[i].kind == BARRIER -> fenced = true
     :: changelog[i].kind != BARRIER && changelog[i].resend == my.epoch
     :: else ->
#ifndef NO_REWRITE
        my.restless = true;
        my.dirty = my.dirty | (changelog[i].kind < CHECKPOINT -> 1 << changelog[i].kind : 0);
#endif
        skip
     fi;
     i++
  :: else -> break
  od;
  i = 0
}

/* May the store be opened again without reading what stands before its position? Not while something there is to be rewritten. */
#ifdef SETTLE_DESPITE_REWRITE
#define SETTLED(me) true
#else
#define SETTLED(me) (!my.restless)
#endif

proctype Owner(byte me) {
  byte holds;
  do
  /* Takeover, first step: the barrier. */
  :: d_step { my.state == AWAY && barriers < TAKEOVERS && end < RECORDS && (me == 0 || instance[me - 1].state != AWAY || barriers > 0) ->
     barriers++;
     my.state = CLAIMED;
     my.epoch = barriers;
     append(BARRIER, 0, 0, barriers, 0);
     my.position = end }

  /* Takeover, second step: read to the end, not only to the barrier. Resume at the newest checkpoint, with its watermarks. */
  :: d_step { my.state == CLAIMED ->
     fenced = false; last[0] = 255; last[1] = 255; found = my.keptNext; foundWatermark = my.keptWatermark;
#ifdef READ_TO_OWN_BARRIER_ONLY
     upTo = my.position;
#else
     upTo = end;
#endif
     i = my.readFrom;
     do
     :: i < upTo ->
        if
        :: changelog[i].kind == BARRIER -> fenced = fenced || i >= my.position
        :: changelog[i].kind == CHECKPOINT && !changelog[i].stale -> found = changelog[i].version; foundWatermark = changelog[i].count
        :: changelog[i].kind < CHECKPOINT ->
           k = changelog[i].kind;
           last[k] = changelog[i].version;
           if
           :: changelog[i].version > my.version[k] -> my.version[k] = changelog[i].version; my.count[k] = changelog[i].count
           :: else
           fi
        :: else
        fi;
        i++
     :: else -> break
     od;
     if
     :: fenced -> leave(me)
     :: else ->
        my.state = RUNNING;
        my.next = found;
        my.watermark = foundWatermark;
#ifdef LOCAL_WATERMARKS_INSTEAD_OF_CHECKPOINTS
        my.watermark = (my.stored -> my.storedWatermark : foundWatermark);
#endif
        my.position = upTo;
#ifdef REDIS
        my.unpushed = BOTH;
#endif
#ifndef NO_REWRITE
        my.restless = true;
        my.dirty = (last[0] < my.version[0] -> 1 : 0) | (last[1] < my.version[1] -> 2 : 0)
#endif
     fi;
     i = 0; k = 0; found = 0; foundWatermark = 0; last[0] = 0; last[1] = 0; upTo = 0; fenced = false;
     tidy() }

  /* Fold one visit and commit: row, watermark and position are one batch of the local store. */
  :: d_step { my.state == RUNNING && my.next < VISITS ->
     if
     :: SEQUENCE(my.next) >= my.watermark ->
        k = LINK(my.next);
        my.watermark = SEQUENCE(my.next) + 1;
        if
#ifndef NO_SKIP_BY_VERSION
        :: my.version[k] > my.next ->
#ifndef NO_MARK_SKIPPED_DIRTY
           my.dirty = my.dirty | (1 << k);
#endif
           skip
#endif
        :: else ->
           my.version[k] = my.next + 1;
           my.count[k]++;
           my.dirty = my.dirty | (1 << k);
#ifdef REDIS
           my.unpushed = my.unpushed | (1 << k);
#endif
           assert(my.count[k] <= TRUTH(k))
        fi
     :: else
     fi;
     my.next++;
#ifdef LOCAL_WATERMARKS_INSTEAD_OF_CHECKPOINTS
     my.storedWatermark = my.watermark; my.stored = true;
#endif
     k = 0 }

  /* Flush: the dirty rows in portions of any kind, then the checkpoint, alone or in one append with the last of them. */
  :: atomic { my.state == RUNNING && !my.unanswered && end + 3 <= RECORDS &&
       (my.flushing || my.dirty || my.restless || my.next >= my.checkpointed) ->
     d_step {
       if
       :: my.flushing
       :: else ->
          my.flushing = true;
          my.restless = false;
          my.todo = my.dirty;
          my.dirty = 0;
          my.flushedNext = my.next;
#ifndef NO_WATERMARKS
          my.flushedWatermark = my.watermark;
#endif
#ifdef CHECKPOINT_BEFORE_VALUES
          holds = WITH_CHECKPOINT
#endif
       fi };
     if
#ifdef CHECKPOINT_BEFORE_VALUES
     :: holds
     :: !holds -> holds = my.todo
#else
     :: my.todo & 1 -> holds = 1
     :: my.todo & 2 -> holds = 2
     :: my.todo == BOTH -> holds = BOTH
     :: holds = my.todo | WITH_CHECKPOINT
#endif
     fi;
     if
     :: d_step { true ->
        my.unanswered = holds;
        my.base = end;
        if
        :: holds & 1 -> append(ROW, my.version[0], my.count[0], my.epoch, 0)
        :: else
        fi;
        if
        :: holds & 2 -> append(ROW + 1, my.version[1], my.count[1], my.epoch, 0)
        :: else
        fi;
        if
        :: holds & WITH_CHECKPOINT -> append(CHECKPOINT, my.flushedNext, my.flushedWatermark, my.epoch, 0)
        :: else
        fi;
        my.behind = end;
        holds = 0;
        tidy();
        checkChangelog() }
#ifndef CHECKPOINT_BEFORE_VALUES
     :: d_step { strays < STRAYS ->
        strays++;
        stray.holds = holds;
        if
        :: holds & 1 -> stray.version[0] = my.version[0]; stray.count[0] = my.count[0]
        :: else
        fi;
        if
        :: holds & 2 -> stray.version[1] = my.version[1]; stray.count[1] = my.count[1]
        :: else
        fi;
        if
        :: holds & WITH_CHECKPOINT -> stray.next = my.flushedNext; stray.watermark = my.flushedWatermark
        :: else
        fi;
        stray.epoch = my.epoch;
        stray.underWay = true;
        holds = 0 }
#endif
     fi }

  /* The answer: the base offset must be the expected one, else what stands between is read. */
  :: d_step { my.state == RUNNING && my.unanswered ->
     fenced = false;
#ifndef NO_BASE_OFFSET_CHECK
     upTo = my.base;
     readGap(me);
#endif
     if
     :: fenced -> leave(me)
     :: else ->
        k = my.unanswered;
        my.position = my.behind;
        my.unanswered = 0; my.base = 0; my.behind = 0;
        my.todo = my.todo & ~k;
#ifndef RESEND_BY_EPOCH_ONLY
        endAppend(me);
#endif
        if
#ifdef CHECKPOINT_BEFORE_VALUES
        :: my.todo == 0 ->
#else
        :: k & WITH_CHECKPOINT ->
#endif
           my.flushing = false;
           my.checkpointed = my.flushedNext + 1;
           if
           :: SETTLED(me) && barriers < TAKEOVERS ->
              my.readFrom = my.position; my.keptNext = my.flushedNext; my.keptWatermark = my.flushedWatermark
           :: else
           fi;
           my.flushedNext = 0; my.flushedWatermark = 0
        :: else
        fi;
        tidy()
     fi;
     k = 0; upTo = 0; fenced = false }

  /* Nothing to write: look whether somebody else has written. */
  :: d_step { my.state == RUNNING && !my.unanswered && !my.flushing && my.position < end ->
     upTo = end;
     readGap(me);
     if
     :: fenced -> leave(me)
     :: else -> my.position = end; tidy()
     fi;
     upTo = 0; fenced = false }

#ifdef REDIS
  /* Push one row after the commit; Redis compares versions in the same call. */
  :: d_step { my.state == RUNNING && my.unpushed ->
     k = (my.unpushed & 1 -> 0 : 1);
     my.unpushed = my.unpushed & ~(1 << k);
     if
#ifndef NO_REDIS_GUARD
     :: my.version[k] < redisVersion[k]
#endif
     :: else -> redisVersion[k] = my.version[k]; redisCount[k] = my.count[k]
     fi;
     k = 0 }

  /* The rightful owner has pushed all: Redis must tell the truth, whatever a stale owner pushes before or after. */
  :: d_step { my.state == RUNNING && my.epoch == barriers && my.next == VISITS && !my.unpushed &&
       (redisCount[0] != TRUTH(0) || redisCount[1] != TRUTH(1)) ->
     assert(false) }
#endif

  /* All is folded and flushed, and nothing is unknown: the store must tell the truth. */
  :: d_step { my.state == RUNNING && my.next == VISITS && !my.dirty && !my.restless && !my.flushing && my.position == end &&
       (my.count[0] != TRUTH(0) || my.count[1] != TRUTH(1)) ->
     assert(false) }
  od
}

/* What may happen at any time. */
proctype Faults() {
  byte any;
  do
  :: atomic { crashes < CRASHES && barriers < TAKEOVERS ->
     select (any : 0 .. INSTANCES - 1);
     d_step {
       if
       :: instance[any].state != AWAY -> leave(any); crashes++
       :: else
       fi;
       any = 0 } }

  :: atomic { losses < LOSSES && barriers < TAKEOVERS ->
     select (any : 0 .. INSTANCES - 1);
     d_step {
       if
       :: instance[any].state == AWAY && (instance[any].version[0] || instance[any].version[1] || instance[any].readFrom) ->
          loseStore(any);
          losses++
       :: else
       fi;
       any = 0 } }

  /* The append without an answer comes to stand in the changelog after all. */
  :: d_step { stray.holds && end + 3 <= RECORDS ->
     k = (stray.underWay -> stray.epoch : 0);
     if
     :: stray.holds & 1 -> append(ROW, stray.version[0], stray.count[0], stray.epoch, k)
     :: else
     fi;
     if
     :: stray.holds & 2 -> append(ROW + 1, stray.version[1], stray.count[1], stray.epoch, k)
     :: else
     fi;
     if
     :: stray.holds & WITH_CHECKPOINT -> append(CHECKPOINT, stray.next, stray.watermark, stray.epoch, k)
     :: else
     fi;
     stray.holds = 0; stray.version[0] = 0; stray.version[1] = 0; stray.count[0] = 0; stray.count[1] = 0;
     stray.next = 0; stray.watermark = 0; stray.epoch = 0; stray.underWay = false;
     k = 0;
     tidy();
     checkChangelog() }

  /*
   * Compaction takes a record that has a later one of its key. When all the later ones are of lower versions, they are younger
   * than the lag until the rightful owner has seen them and has written its own again.
   */
  :: atomic { end > 0 ->
     select (any : 0 .. end - 1);
     d_step {
       if
       :: changelog[any].kind != BARRIER ->
          findLater(any);
          held = found == 1;
#ifdef NO_LAG
          held = false;
#endif
          i = 0;
          do
          :: i < INSTANCES ->
             held = held && !(instance[i].state == RUNNING && instance[i].epoch == barriers && instance[i].position > upTo &&
               !instance[i].restless && !instance[i].flushing);
             i++
          :: else -> break
          od;
          if
          :: found && !held -> take(any); checkChangelog()
          :: else
          fi
       :: else
       fi;
       i = 0; found = 0; upTo = 0; held = false; any = 0 } }
  od
}

init {
  atomic {
    byte id = 0;
    do
    :: id < INSTANCES -> run Owner(id); id++
    :: else -> break
    od;
    id = 0;
    run Faults()
  }
}
