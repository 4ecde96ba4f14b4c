<?php

namespace HookBridge;

use WHMCS\Database\Capsule;

/**
 * Takes the waiting rows to the bridge, oldest first; one courier at a time.
 */
class Courier
{
    const LOCK = 'courier';
    const PAUSE = 'pause';
    /** Longer than any one try and what lies between two. */
    const LEASE = 30;
    /** A row that failed so often while the bridge is well steps aside. */
    const STRIKES = 5;
    /** Longest pause of all rows, and of one that stepped aside, in seconds. */
    const LONGEST_PAUSE = 300;
    const LONGEST_ASIDE = 3600;
    /** The cron goes on so long, in seconds, while the bridge takes its rows swiftly. */
    const CRON_SECONDS = 60;
    const SWIFT = 0.25;
    /** The end of a page begins no try after so many seconds: the visitor has gone, or he waits. */
    const PAGE_SECONDS = 2.0;
    const WAITED_FOR_SECONDS = 0.25;
    const BATCH = 200;

    private $settings;
    private $sender;
    private $token;
    private $patient;
    private $until;
    private $held = 0;
    private $began = 0.0;
    private $slow = false;
    /** Rows that the bridge has and that are still in the table, by seq. */
    private $done = [];
    private $sent = 0;
    /** Whether something else has just passed, so that a failure is the row's own. */
    private $well = false;

    public function __construct(Settings $settings, Sender $sender, $cron = false, $seconds = self::CRON_SECONDS)
    {
        $this->settings = $settings;
        $this->sender = $sender;
        $this->token = bin2hex(random_bytes(8));
        $this->patient = $cron;
        if ($cron) {
            $sender->lookUp();
        }
        $this->until = microtime(true) + $seconds;
    }

    /** Send what is due; return how many rows the bridge took. */
    public function run()
    {
        if (!$this->sender->may()) {
            if (!$this->settings->complete()) {
                Log::error($this->settings->problem());
            }
            return 0;
        }
        if ($this->inTransaction() || $this->pausedUntil() > time()) {
            return 0;
        }
        do {
            if (!State::lock(self::LOCK, $this->token, time(), self::LEASE)) {
                return $this->sent;
            }
            $this->held = time();
            $more = false;
            try {
                $more = $this->round();
            } finally {
                $this->settle();
                State::unlock(self::LOCK, $this->token);
            }
            // A row that was put while we were about to let go found the lock taken.
        } while ($more && Outbox::due(time()));
        return $this->sent;
    }

    /** Return until when (Unix seconds) nothing is sent; 0 if there is no pause. */
    public function pausedUntil()
    {
        $kept = State::get(self::PAUSE);
        // A clock that was set back must not make a pause of days.
        return $kept === null || $kept[1] > time() + self::LONGEST_PAUSE ? 0 : $kept[1];
    }

    /** Send what is due now; false if something failed or the time is up. */
    private function round()
    {
        $waiting = Outbox::waiting(self::BATCH);
        if ($waiting !== [] && $waiting[0]->strikes >= self::STRIKES) {
            if (!$this->bridgeIsWell($waiting)) {
                return false;
            }
        }
        while ($waiting !== []) {
            foreach ($waiting as $row) {
                if (!$this->goesOn() || !$this->deliver($row)) {
                    return false;
                }
            }
            $this->settle();
            $waiting = Outbox::waiting(self::BATCH);
        }
        foreach (Outbox::aside(time(), self::BATCH) as $row) {
            if (!$this->goesOn() || !$this->deliver($row)) {
                return false;
            }
        }
        return true;
    }

    /**
     * Find out whether only the oldest row fails, by sending something else first.
     *
     * Best is the row that was delivered last: the bridge knows its id, so that the
     * order of all rows stays. Without one, a row that has not failed so often.
     */
    private function bridgeIsWell(array $waiting)
    {
        $known = Outbox::lastSent(time());
        if ($known !== null) {
            $answer = $this->post($known);
            if ($answer->took($known->id)) {
                $this->well = true;
                return true;
            }
            $this->pause($answer);
            return false;
        }
        foreach ($waiting as $row) {
            if ($row->strikes < self::STRIKES) {
                $this->well = $this->deliver($row);
                return $this->well;
            }
        }
        return true;
    }

    /** Send one row; false if nothing more is to be sent now. */
    private function deliver($row)
    {
        if (isset($this->done[$row->seq])) {
            return true;
        }
        $answer = $this->post($row);
        if ($answer->took($row->id)) {
            $this->done[$row->seq] = $row->seq;
            $this->sent++;
            $this->well = true;
            return true;
        }
        if ($answer->refuses()) {
            Outbox::park($row, $answer);
            $words = $row->hookpoint . ' was not taken by the bridge and is parked: ' . $answer->words();
            Log::error($words);
            Log::activity('a row is parked, look at the page of the add-on. ' . $answer->words());
            return true;
        }
        Outbox::failed($row, $answer, $answer->connected);
        if ($row->state === 'aside' || ($this->well && $row->strikes + 1 > self::STRIKES)) {
            $steps = min(6, max(0, $row->tries - self::STRIKES));
            Outbox::stepAside($row, time(), min(self::LONGEST_ASIDE, 60 * (1 << $steps)));
            Log::error($row->hookpoint . ' alone fails and stepped aside: ' . $answer->words());
            $this->sender->fail($answer->words());
        } else {
            $this->pause($answer);
        }
        return false;
    }

    private function post($row)
    {
        if ($this->patient) {
            $this->sender->extend();
        }
        $answer = $this->sender->send('POST', $this->settings->hooksUrl(), $row->id, $row->body);
        if (!$answer->took($row->id)) {
            Log::call($row->hookpoint, $row->body, $answer->words() . "\n" . $answer->body, $this->settings->secrets());
            if (!$answer->refuses()) {
                $this->sender->fail($answer->words());
            }
        }
        $this->slow = $answer->seconds > self::SWIFT;
        return $answer;
    }

    /** Whether there is time for another try, and the rows are still ours. */
    private function goesOn()
    {
        $now = microtime(true);
        $this->began = $this->began ?: $now;
        $late = $now - $this->began > Sender::WHOLE_MS / 1000;
        if ($now > $this->until || ($late && $this->slow) || (!$this->patient && !$this->sender->may())) {
            return false;
        }
        if (time() - $this->held >= self::LEASE / 3) {
            $this->settle();
            if (!State::lock(self::LOCK, $this->token, time(), self::LEASE)) {
                return false;
            }
            $this->held = time();
        }
        return true;
    }

    /** Write down what the bridge has. */
    private function settle()
    {
        if ($this->done === []) {
            return;
        }
        $count = count($this->done);
        Outbox::delivered(array_values($this->done), time());
        $this->done = [];
        State::forget(self::PAUSE);
        Log::success($count === 1 ? '1 row taken' : $count . ' rows taken');
    }

    /** Nothing is tried for a while, longer with each failure in a row. */
    private function pause(Answer $answer)
    {
        self::wait($answer->words());
        $this->sender->fail($answer->words());
    }

    /** Begin or lengthen the pause of all rows, and say why. */
    public static function wait($words)
    {
        $kept = State::get(self::PAUSE);
        $failures = $kept === null ? 1 : min(20, (int) $kept[0] + 1);
        $seconds = min(self::LONGEST_PAUSE, 5 * (1 << min(10, $failures - 1)));
        // Spread, so that many panels do not come back in the same second.
        State::put(self::PAUSE, (string) $failures, time() + random_int((int) ceil($seconds / 2), $seconds));
        Log::error($words);
    }

    /** What was put in a transaction that is still open may never have happened. */
    private function inTransaction()
    {
        $connection = Capsule::connection();
        return $connection->transactionLevel() > 0 || $connection->getPdo()->inTransaction();
    }
}
