<?php

namespace HookBridge;

/**
 * What the panel calls: hooks that forward, hooks that ask, the cron, the end of
 * the request. Nothing in here prints, throws, or waits for long.
 */
class Hooks
{
    /** Late, so that other modules have done their work when we tell of it. */
    const PRIORITY = 99;

    private static $waiting = false;
    /** What could not be written into the table: tried once at the end of the request. */
    private static $memory = [];
    private static $inside = 0;

    /** Register what the active map uses, as the bridge said last. */
    public static function register()
    {
        self::quietly(function () {
            $active = Hookpoints::current();
            foreach ($active['hookpoints'] as $hookpoint) {
                add_hook($hookpoint, self::PRIORITY, self::forwarder($hookpoint));
            }
            foreach (array_intersect($active['decisions'], Decisions::known()) as $hookpoint) {
                add_hook($hookpoint, self::PRIORITY, self::asker($hookpoint));
            }
            add_hook('AfterCronJob', self::PRIORITY + 1, function () {
                Hooks::cron();
            });
        });
    }

    /** Return the callback of a hookpoint that is only told: it returns null. */
    public static function forwarder($hookpoint)
    {
        return function (...$arguments) use ($hookpoint) {
            Hooks::forward($hookpoint, $arguments);
        };
    }

    /** Return the callback of a hookpoint whose answer counts. */
    public static function asker($hookpoint)
    {
        return function (...$arguments) use ($hookpoint) {
            return Hooks::quietly(function () use ($hookpoint, $arguments) {
                return Decisions::decide($hookpoint, $arguments);
            }, Decisions::noOpinion($hookpoint));
        };
    }

    /** Write one row, and see to it that it leaves at the end of the request. */
    public static function forward($hookpoint, array $arguments)
    {
        // What we write into the panel's logs fires hooks as well.
        if (Log::inside() || self::$inside > 0) {
            return;
        }
        self::$inside++;
        self::quietly(function () use ($hookpoint, $arguments) {
            $id = Sender::newId();
            $body = Event::body($hookpoint, $arguments);
            try {
                Outbox::put($id, $hookpoint, $body);
            } catch (\Throwable $error) {
                Hooks::remember($id, $hookpoint, $body);
            }
            Hooks::atTheEnd();
        });
        self::$inside--;
    }

    /** Keep in memory what the table does not take, up to a point. */
    public static function remember($id, $hookpoint, $body)
    {
        if (count(self::$memory) < 100) {
            self::$memory[] = [$id, $hookpoint, $body];
        }
        Log::activity('the table ' . Schema::OUTBOX . ' cannot be written; deactivate and activate the add-on to make it again.');
    }

    /** Have `leave` called when everything else of the request is done. */
    public static function atTheEnd()
    {
        if (self::$waiting) {
            return;
        }
        self::$waiting = true;
        register_shutdown_function(function () {
            // Registered from within, it comes after those of everybody else.
            register_shutdown_function([__CLASS__, 'leave']);
        });
    }

    /** Let the page go, then send what waits. */
    public static function leave()
    {
        self::quietly(function () {
            ignore_user_abort(true);
            if (function_exists('session_status') && session_status() === PHP_SESSION_ACTIVE) {
                // Else the visitor's next page would wait for this one.
                session_write_close();
            }
            $left = PHP_SAPI === 'cli';
            if (function_exists('fastcgi_finish_request')) {
                $left = fastcgi_finish_request();
            } elseif (function_exists('litespeed_finish_request')) {
                $left = litespeed_finish_request();
            }
            // Where the visitor still waits, a long queue is the cron's business.
            Hooks::send(false, $left ? Courier::PAGE_SECONDS : Courier::WAITED_FOR_SECONDS);
        });
    }

    /** What the panel's cron does for us: send, drop what is too old, ask for the hookpoints. */
    public static function cron()
    {
        self::quietly(function () {
            Hooks::send(true);
            Log::prune(time());
            $dropped = Outbox::prune(time());
            if ($dropped > 0) {
                Log::activity($dropped . ' rows older than 30 days were dropped: the bridge never took them.');
            }
            Hooks::askHookpoints();
        });
    }

    /** Send what waits, in the table and in memory; begin nothing new after $seconds. */
    public static function send($cron, $seconds = Courier::CRON_SECONDS)
    {
        self::$inside++;
        try {
            $settings = Settings::load();
            $sender = Sender::shared();
            try {
                (new Courier($settings, $sender, $cron, $seconds))->run();
            } finally {
                self::sendMemory($settings, $sender);
            }
        } finally {
            self::$inside--;
        }
    }

    public static function askHookpoints()
    {
        $settings = Settings::load();
        $sender = Sender::shared();
        $courier = new Courier($settings, $sender, true);
        $sender->extend();
        if (!$sender->may() || $courier->pausedUntil() > time() || !Hookpoints::stale(time())) {
            return;
        }
        $why = Hookpoints::ask($settings, $sender);
        if ($why !== '') {
            Courier::wait($why);
        }
    }

    /** Run $do so that nothing of it is seen: no warning, no exception; else return $otherwise. */
    public static function quietly($do, $otherwise = null)
    {
        set_error_handler(function () {
            return true;
        });
        try {
            return $do();
        } catch (\Throwable $error) {
            try {
                Log::error('Unforeseen ' . get_class($error) . ' in ' . basename($error->getFile()) . ':' . $error->getLine());
            } catch (\Throwable $second) {
                return $otherwise;
            }
            return $otherwise;
        } finally {
            restore_error_handler();
        }
    }

    private static function sendMemory(Settings $settings, Sender $sender)
    {
        $rows = self::$memory;
        self::$memory = [];
        foreach ($rows as $row) {
            if (!$sender->may()) {
                return;
            }
            $answer = $sender->send('POST', $settings->hooksUrl(), $row[0], $row[2]);
            if (!$answer->took($row[0]) && !$answer->refuses()) {
                $sender->fail($answer->words());
            }
        }
    }
}
