<?php

namespace HookBridge;

/**
 * Texts that are cut between characters, never in the middle of one.
 */
class Text
{
    /** Return at most $limit characters of $text; bytes that are no UTF-8 go. */
    public static function cut($text, $limit)
    {
        if (!preg_match('//u', $text)) {
            $clean = json_decode((string) json_encode($text, JSON_INVALID_UTF8_SUBSTITUTE));
            $text = is_string($clean) ? $clean : '';
        }
        if (strlen($text) <= $limit) {
            return $text;
        }
        return preg_match('/\A.{0,' . (int) $limit . '}/us', $text, $found) ? $found[0] : '';
    }
}
