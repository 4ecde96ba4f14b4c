<?php

namespace HookBridge;

/**
 * The page's words in the language of who reads it; what is missing is English.
 */
class Words
{
    /** Sentences that come from elsewhere are looked up under this and themselves. */
    const SAID = 'said: ';

    /** @var array */
    private $words;
    /** @var array */
    private $said = [];

    /** @param mixed $words what the panel read from lang/<language>.php */
    public function __construct($words)
    {
        $this->words = array_merge(self::english(), is_array($words) ? $words : []);
        foreach ($this->words as $name => $word) {
            if (is_string($word) && strncmp((string) $name, self::SAID, strlen(self::SAID)) === 0) {
                $this->said[substr($name, strlen(self::SAID))] = $word;
            }
        }
    }

    private static function english()
    {
        $_ADDONLANG = [];
        include dirname(__DIR__) . '/lang/english.php';
        return $_ADDONLANG;
    }

    /** Return a text of the language file with its places filled, as HTML. */
    public function html($name, ...$values)
    {
        return self::escape($this->text($name, ...$values));
    }

    /** Return a text of the language file with its places filled. */
    public function text($name, ...$values)
    {
        $word = isset($this->words[$name]) && is_string($this->words[$name]) ? $this->words[$name] : $name;
        // Not sprintf: a translation with a stray % would be an error, and an error is output.
        $places = [];
        foreach ($values as $number => $value) {
            $places['{' . $number . '}'] = (string) $value;
        }
        return strtr($word, $places);
    }

    /** Return a sentence of the add-on or the bridge, translated where it is known. */
    public function said($sentence)
    {
        return $this->said === [] ? (string) $sentence : strtr((string) $sentence, $this->said);
    }

    /** Return a length of time in words, in its largest unit. */
    public function span($seconds)
    {
        $seconds = max(0, (int) $seconds);
        foreach (['days' => 86400, 'hours' => 3600, 'minutes' => 60] as $unit => $length) {
            if ($seconds >= 2 * $length) {
                return $this->text($unit, intdiv($seconds, $length));
            }
        }
        return $this->text('seconds', $seconds);
    }

    /** Return a day that is given as 2027-05-02 in the form of the language. */
    public function day($day)
    {
        $moment = strtotime($day . ' 12:00:00');
        return $moment === false ? $day : date($this->text('day'), $moment);
    }

    /** Return how long ago a moment is, and the moment. */
    public function ago($moment, $now)
    {
        return $this->text('ago', $this->span($now - $moment), date('Y-m-d H:i:s', $moment));
    }

    /** Return any text as HTML. */
    public static function escape($text)
    {
        return htmlspecialchars((string) $text, ENT_QUOTES | ENT_SUBSTITUTE, 'UTF-8');
    }
}
