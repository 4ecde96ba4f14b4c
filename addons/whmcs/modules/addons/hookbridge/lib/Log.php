<?php

namespace HookBridge;

/**
 * The last success and the last error in words, and the panel's own logs.
 *
 * Nothing in here may throw: it is used where something has failed already.
 */
class Log
{
    const SUCCESS = 'last_success';
    const ERROR = 'last_error';
    /** The same sentence is written into the activity log once in so many seconds. */
    const QUIET = 3600;

    const SAID = 'said:';

    private static $said = [];
    private static $inside = false;

    /** Note that the bridge took something just now. */
    public static function success($words)
    {
        self::note(self::SUCCESS, $words);
    }

    /** Note what went wrong last. */
    public static function error($words)
    {
        self::note(self::ERROR, $words);
    }

    /** Return [words, when in Unix seconds] of the last success, or null. */
    public static function lastSuccess()
    {
        return self::read(self::SUCCESS);
    }

    /** Return [words, when in Unix seconds] of the last error, or null. */
    public static function lastError()
    {
        return self::read(self::ERROR);
    }

    /** Tell staff in the panel's activity log: once a request, and once an hour. */
    public static function activity($words)
    {
        if (isset(self::$said[$words]) || count(self::$said) >= 5 || !function_exists('logActivity')) {
            return;
        }
        self::$said[$words] = true;
        try {
            $name = self::SAID . substr(sha1($words), 0, 16);
            $before = State::get($name);
            if ($before !== null && $before[1] > time() - self::QUIET) {
                return;
            }
            State::put($name, '', time());
        } catch (\Throwable $error) {
            // Without the table it is said all the same.
        }
        self::guarded(function () use ($words) {
            logActivity('Hook bridge: ' . $words);
        });
    }

    /** Forget which sentences were said long ago. */
    public static function prune($now)
    {
        State::forgetOld(self::SAID, $now - 2 * self::QUIET);
    }

    /** Write a call into the panel's module log, which is off unless staff turn it on. */
    public static function call($action, $request, $response, array $secrets)
    {
        if (function_exists('logModuleCall')) {
            self::guarded(function () use ($action, $request, $response, $secrets) {
                logModuleCall(Settings::MODULE, $action, $request, $response, '', $secrets);
            });
        }
    }

    /** Whether we are just writing into a log of the panel, which fires hooks as well. */
    public static function inside()
    {
        return self::$inside;
    }

    private static function guarded($write)
    {
        $before = self::$inside;
        self::$inside = true;
        try {
            $write();
        } catch (\Throwable $error) {
            // A log that cannot be written must not break the page.
        }
        self::$inside = $before;
    }

    private static function note($name, $words)
    {
        try {
            State::put($name, Text::cut($words, 500), time());
        } catch (\Throwable $error) {
            // The table may be missing; what failed is in the activity log then.
        }
    }

    private static function read($name)
    {
        try {
            return State::get($name);
        } catch (\Throwable $error) {
            return null;
        }
    }
}
