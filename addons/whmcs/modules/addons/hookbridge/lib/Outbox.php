<?php

namespace HookBridge;

use WHMCS\Database\Capsule;

/**
 * The rows that wait for the bridge: mod_hookbridge_outbox.
 *
 * States: waiting; aside (it alone fails, so the others go first); parked (the
 * bridge will never take it so: staff decide); sent (only the last one, by which
 * `Courier` can tell a failing row from a failing bridge).
 */
class Outbox
{
    /** What was not delivered in so many seconds is dropped. */
    const KEEP = 2592000;

    /** Keep a delivery. Raises what the database raises. */
    public static function put($id, $hookpoint, $body)
    {
        Capsule::table(Schema::OUTBOX)->insert([
            'id' => $id,
            'hookpoint' => $hookpoint,
            'body' => $body,
            'created_at' => time(),
        ]);
    }

    /** Return the oldest waiting rows after $after, in the order of their hooks. */
    public static function waiting($limit, $after = 0)
    {
        return self::rows(Capsule::table(Schema::OUTBOX)
            ->where('state', 'waiting')->where('seq', '>', $after)->orderBy('seq')->limit($limit));
    }

    /** Return rows that stepped aside and are due, oldest first. */
    public static function aside($now, $limit)
    {
        return self::rows(Capsule::table(Schema::OUTBOX)
            ->where('state', 'aside')->where('due_at', '<=', $now)->orderBy('seq')->limit($limit));
    }

    /** Whether anything is to be sent now. */
    public static function due($now)
    {
        return self::waiting(1) !== [] || self::aside($now, 1) !== [];
    }

    /** Take out rows that the bridge has; of them the newest stays as "sent". */
    public static function delivered(array $seqs, $now)
    {
        if ($seqs === []) {
            return;
        }
        $last = array_pop($seqs);
        Capsule::table(Schema::OUTBOX)->where('state', 'sent')->where('seq', '!=', $last)->delete();
        foreach (array_chunk($seqs, 500) as $some) {
            Capsule::table(Schema::OUTBOX)->whereIn('seq', $some)->delete();
        }
        Capsule::table(Schema::OUTBOX)->where('seq', $last)->update(['state' => 'sent', 'due_at' => $now]);
    }

    /** Return the row delivered last if the bridge surely still knows its id, or null. */
    public static function lastSent($now)
    {
        $rows = self::rows(Capsule::table(Schema::OUTBOX)
            ->where('state', 'sent')->where('due_at', '>', $now - 86400)->orderBy('seq', 'desc')->limit(1));
        return $rows === [] ? null : $rows[0];
    }

    /** Note a try that failed; $strike if the row itself may be the reason. */
    public static function failed($row, Answer $answer, $strike)
    {
        Capsule::table(Schema::OUTBOX)->where('seq', $row->seq)->update([
            'tries' => $row->tries + 1,
            'strikes' => $row->strikes + ($strike ? 1 : 0),
            'status' => $answer->status,
            'error' => Text::cut($answer->words(), 250),
        ]);
    }

    /** Let the others pass; this row is tried again after $seconds. */
    public static function stepAside($row, $now, $seconds)
    {
        Capsule::table(Schema::OUTBOX)->where('seq', $row->seq)->update(['state' => 'aside', 'due_at' => $now + $seconds]);
    }

    /** Put a row aside that the bridge will never take so. */
    public static function park($row, Answer $answer)
    {
        Capsule::table(Schema::OUTBOX)->where('seq', $row->seq)->update([
            'state' => 'parked',
            'tries' => $row->tries + 1,
            'status' => $answer->status,
            'error' => Text::cut($answer->words(), 250),
        ]);
    }

    /** Drop what is older than 30 days; return how many rows that were. */
    public static function prune($now)
    {
        return Capsule::table(Schema::OUTBOX)
            ->where('created_at', '<', $now - self::KEEP)->where('state', '!=', 'sent')->delete();
    }

    /** Return [waiting, aside, parked, oldest]: three numbers, and the age of the oldest in seconds or null. */
    public static function counts($now)
    {
        $found = ['waiting' => 0, 'aside' => 0, 'parked' => 0, 'oldest' => null];
        $rows = Capsule::table(Schema::OUTBOX)->where('state', '!=', 'sent')->groupBy('state')
            ->get([Capsule::raw('state'), Capsule::raw('COUNT(*) AS number'), Capsule::raw('MIN(created_at) AS oldest')]);
        foreach ($rows as $row) {
            $found[$row->state] = (int) $row->number;
            if ($row->state !== 'parked') {
                $age = max(0, $now - (int) $row->oldest);
                $found['oldest'] = $found['oldest'] === null ? $age : max($found['oldest'], $age);
            }
        }
        return $found;
    }

    /** Return the newest parked rows and those aside: seq, id, hookpoint, state, created_at, tries, status, error. */
    public static function troubled($limit = 50)
    {
        return self::rows(Capsule::table(Schema::OUTBOX)
            ->whereIn('state', ['parked', 'aside'])->orderBy('seq', 'desc')->limit($limit));
    }

    /** Send a parked row again with the others, at its old place; whether there was one. */
    public static function again($seq)
    {
        return Capsule::table(Schema::OUTBOX)->where('seq', $seq)->whereIn('state', ['parked', 'aside'])
            ->update(['state' => 'waiting', 'strikes' => 0, 'due_at' => 0]) > 0;
    }

    /** Drop a parked row for good; whether there was one. */
    public static function drop($seq)
    {
        return Capsule::table(Schema::OUTBOX)->where('seq', $seq)->whereIn('state', ['parked', 'aside'])->delete() > 0;
    }

    private static function rows($query)
    {
        $found = [];
        foreach ($query->get() as $row) {
            foreach (['seq', 'created_at', 'due_at', 'tries', 'strikes', 'status'] as $name) {
                $row->$name = (int) $row->$name;
            }
            $found[] = $row;
        }
        return $found;
    }
}
