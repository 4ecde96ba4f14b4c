<?php

namespace HookBridge;

/**
 * Questions that the panel waits for. On null, failure or an answer that is not of
 * the expected kind there is no opinion, in that hookpoint's own way.
 */
class Decisions
{
    private static $answers = [];

    /** Return the hookpoints that can be asked about. */
    public static function known()
    {
        return ['OrderProductUpgradeOverride', 'PreUpgradeCheckout', 'ShoppingCartValidateUpgrade'];
    }

    /**
     * Return what the callback returns if the bridge has nothing to say.
     *
     * The first two take an array of overrides, an empty one overrides nothing; the
     * last takes a list of error texts, an empty one lets the client go on.
     */
    public static function noOpinion($hookpoint)
    {
        return [];
    }

    /** Ask the bridge and return what the panel's callback returns. */
    public static function decide($hookpoint, array $arguments)
    {
        $body = Event::body($hookpoint, $arguments);
        $asked = json_decode($body, true);
        if ($hookpoint === 'OrderProductUpgradeOverride' && !isset($asked['context']['service_id'])) {
            Log::activity('a plan change was priced by the panel alone: which service it is about could not be told from the request.');
            return self::noOpinion($hookpoint);
        }
        unset($asked['timestamp']);
        $same = sha1(json_encode($asked));
        if (!isset(self::$answers[$same])) {
            self::$answers[$same] = self::ask($hookpoint, $body);
        }
        return self::$answers[$same];
    }

    private static function ask($hookpoint, $body)
    {
        $settings = Settings::load();
        $sender = Sender::shared();
        if (!$sender->may()) {
            Log::error($hookpoint . ' was not asked: ' . $sender->why());
            return self::noOpinion($hookpoint);
        }
        $id = Sender::newId();
        $answer = $sender->send('POST', $settings->decisionsUrl(), $id, $body);
        Log::call($hookpoint, $body, $answer->words() . "\n" . $answer->body, $settings->secrets());
        $told = $answer->status === 200 && $answer->took($id) ? $answer->json() : null;
        if ($told === null) {
            $sender->fail($answer->words());
            if ($answer->status === 0) {
                // The rows need not find out for themselves that nobody answers.
                Courier::wait($answer->words());
            }
            Log::error($hookpoint . ': ' . $answer->words());
            return self::noOpinion($hookpoint);
        }
        $value = array_key_exists('return', $told) ? $told['return'] : null;
        $read = self::read($hookpoint, $value);
        if ($read === null && $value !== null) {
            Log::error($hookpoint . ': the answer is not of the expected kind');
        }
        return $read === null ? self::noOpinion($hookpoint) : $read;
    }

    /** Read a decision of the right kind, else null. */
    public static function read($hookpoint, $value)
    {
        if (!is_array($value)) {
            return null;
        }
        if ($hookpoint === 'ShoppingCartValidateUpgrade') {
            return self::sentences($value);
        }
        $names = $hookpoint === 'PreUpgradeCheckout' ? ['amount', 'discount'] : ['price', 'discount'];
        if (!isset($value[$names[0]]) || array_diff(array_keys($value), $names) !== []) {
            return null;
        }
        $read = [];
        foreach ($value as $name => $text) {
            // Money is decimal text; below zero nothing is ever charged.
            if (!is_string($text) || !preg_match('/\A[0-9]{1,12}(\.[0-9]{1,4})?\z/', $text)) {
                return null;
            }
            $read[$name] = (float) $text;
        }
        return $read;
    }

    private static function sentences(array $value)
    {
        $read = [];
        foreach ($value as $key => $sentence) {
            if (!is_int($key) || !is_string($sentence) || trim($sentence) === '' || count($read) >= 20) {
                return null;
            }
            // The panel shows them as markup.
            $read[] = htmlspecialchars(Text::cut($sentence, 1000), ENT_QUOTES, 'UTF-8');
        }
        return $read;
    }
}
