<?php

namespace HookBridge;

use WHMCS\Database\Capsule;

/**
 * Small things that outlive a request, by name: mod_hookbridge_state.
 */
class State
{
    /** Return [value, updated_at], or null if nothing is kept under that name. */
    public static function get($name)
    {
        $row = Capsule::table(Schema::STATE)->where('name', $name)->first();
        return $row === null ? null : [(string) $row->value, (int) $row->updated_at];
    }

    /** Return all that is kept, name => [value, updated_at]. */
    public static function all()
    {
        $found = [];
        foreach (Capsule::table(Schema::STATE)->get() as $row) {
            $found[$row->name] = [(string) $row->value, (int) $row->updated_at];
        }
        return $found;
    }

    public static function put($name, $value, $at)
    {
        $changed = ['value' => $value, 'updated_at' => $at];
        Capsule::table(Schema::STATE)->updateOrInsert(['name' => $name], $changed);
    }

    public static function forget($name)
    {
        Capsule::table(Schema::STATE)->where('name', $name)->delete();
    }

    /** Forget all whose name begins with $prefix and that are older than $before. */
    public static function forgetOld($prefix, $before)
    {
        Capsule::table(Schema::STATE)->where('name', 'like', $prefix . '%')->where('updated_at', '<', $before)->delete();
    }

    /**
     * Take the lock $name until $now + $seconds; false while somebody else has it.
     *
     * One UPDATE decides, so of two that ask at once one gets it. Asked with the
     * token that holds it, the lock is held longer.
     */
    public static function lock($name, $token, $now, $seconds)
    {
        $taken = Capsule::table(Schema::STATE)
            ->where('name', $name)
            ->where(function ($query) use ($token, $now) {
                $query->where('value', $token)->orWhere('value', '')->orWhere('updated_at', '<', $now);
            })
            ->update(['value' => $token, 'updated_at' => $now + $seconds]);
        if ($taken > 0) {
            return true;
        }
        $row = self::get($name);
        if ($row === null) {
            $fresh = ['name' => $name, 'value' => $token, 'updated_at' => $now + $seconds];
            return Capsule::table(Schema::STATE)->insertOrIgnore($fresh) > 0;
        }
        // An UPDATE that changes nothing counts as none: ours already, to the second.
        return $row[0] === $token;
    }

    public static function unlock($name, $token)
    {
        Capsule::table(Schema::STATE)
            ->where('name', $name)
            ->where('value', $token)
            ->update(['value' => '', 'updated_at' => 0]);
    }
}
