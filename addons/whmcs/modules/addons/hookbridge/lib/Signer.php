<?php

namespace HookBridge;

/**
 * Signatures after Standard Webhooks: the same rules as the bridge's signing.py.
 *
 * `webhook-signature` holds "v1,<base64 HMAC-SHA256 of id.timestamp.body>", several
 * of them separated by blanks; a secret is `whsec_` and base64.
 */
class Signer
{
    /** How far a timestamp may lie from our clock, in seconds, either way. */
    const TOLERANCE = 300;

    /** Decode a `whsec_...` secret into its bytes; null if it is not usable. */
    public static function key($secret)
    {
        if (strncmp($secret, 'whsec_', 6) !== 0) {
            return null;
        }
        $key = self::decode(substr($secret, 6));
        return $key === null || strlen($key) < Settings::SHORTEST_SECRET ? null : $key;
    }

    /** Return the `v1,...` signature; $timestamp in Unix seconds. */
    public static function sign($key, $id, $timestamp, $body)
    {
        return 'v1,' . base64_encode(self::mac($key, $id, (string) $timestamp, $body));
    }

    /**
     * Return '' if one of $keys signed the delivery just now, else why not.
     *
     * The reason is for a log only: an answer must not tell which check failed.
     */
    public static function verify($id, $timestamp, $signature, $body, array $keys, $now)
    {
        if (!preg_match('/\A[!-\-\/-~]{1,256}\z/', $id)) {
            return 'the webhook-id is not 1 to 256 visible ASCII characters without a dot';
        }
        if (!preg_match('/\A[0-9]{1,12}\z/', $timestamp)) {
            return 'the webhook-timestamp is not plain digits';
        }
        if (abs((int) $timestamp - $now) > self::TOLERANCE) {
            return sprintf('the timestamp is %+d s off', (int) $timestamp - $now);
        }
        $good = false;
        foreach ($keys as $key) {
            $made = self::mac($key, $id, $timestamp, $body);
            foreach (self::signatures($signature) as $given) {
                $good = hash_equals($made, $given) || $good;
            }
        }
        return $good ? '' : 'no signature fits any of the configured secrets';
    }

    private static function mac($key, $id, $timestamp, $body)
    {
        return hash_hmac('sha256', $id . '.' . $timestamp . '.' . $body, $key, true);
    }

    /** Return the decoded v1 signatures; whatever is malformed is passed over. */
    private static function signatures($header)
    {
        $found = [];
        foreach (array_slice(explode(' ', $header), 0, 20) as $entry) {
            if (strncmp($entry, 'v1,', 3) === 0) {
                $bytes = self::decode(substr($entry, 3));
                if ($bytes !== null) {
                    $found[] = $bytes;
                }
            }
        }
        return $found;
    }

    /** Decode base64 with its padding; PHP alone would let it go without. */
    private static function decode($text)
    {
        if (!preg_match('/\A[A-Za-z0-9+\/]*={0,2}\z/', $text) || strlen($text) % 4 !== 0) {
            return null;
        }
        $bytes = base64_decode($text, true);
        return $bytes === false ? null : $bytes;
    }
}
