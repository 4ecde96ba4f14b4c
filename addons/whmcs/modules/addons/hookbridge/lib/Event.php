<?php

namespace HookBridge;

/**
 * The body of a delivery, as the bridge takes it.
 */
class Event
{
    /** The bridge takes 256 KiB; some room is left. */
    const LARGEST = 250000;

    /** Return the JSON of a hook, in ASCII; texts are cut until it fits. */
    public static function body($hookpoint, array $arguments)
    {
        $context = Context::of($hookpoint, $arguments, Picker::pick($hookpoint, $arguments, 255));
        foreach ([Picker::LONGEST_TEXT, 500, 100, 20] as $longest) {
            $body = self::json($hookpoint, Picker::pick($hookpoint, $arguments, $longest), $context);
            if (strlen($body) <= self::LARGEST) {
                return $body;
            }
        }
        return self::json($hookpoint, [], ['actor' => $context['actor']]);
    }

    public static function json($hookpoint, array $data, array $context)
    {
        // The instant is the hook's, not that of a later try.
        return json_encode(
            ['type' => $hookpoint, 'timestamp' => date('c'), 'data' => (object) $data, 'context' => (object) $context],
            JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_SLASHES
        );
    }
}
