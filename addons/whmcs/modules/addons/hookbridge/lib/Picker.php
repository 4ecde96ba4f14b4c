<?php

namespace HookBridge;

/**
 * Picks the variables of a hook that may leave the panel, by a list for each
 * hookpoint; of a hookpoint without a list, ids only.
 */
class Picker
{
    /** Names that never leave, whatever the list says. */
    const SECRET = '/passw|secret|token|hash|authdata|cvv|cardnum|ccnumber|ccexp|eppcode|access_?key|api_?key|private_?key|securityq|userinput|mergefield|credential|cookie|configoption/i';
    const LONGEST_TEXT = 2000;
    /** So many variables are looked through for secrets that a text may repeat. */
    const MOST_VALUES = 5000;

    private static $fields = null;

    /** Return what leaves of a hook's arguments, nested as the panel nests it. */
    public static function pick($hookpoint, array $arguments, $longest = self::LONGEST_TEXT)
    {
        $given = isset($arguments[0]) && is_array($arguments[0]) ? $arguments[0] : [];
        $kinds = self::fields($hookpoint);
        if ($kinds === null) {
            return self::ids($given);
        }
        $secrets = self::secrets($given);
        $kept = [];
        foreach ($kinds as $name => $kind) {
            $dot = strpos($name, '.');
            $leaf = $dot === false ? $name : substr($name, $dot + 1);
            $holder = $dot === false ? '' : substr($name, 0, $dot);
            if (preg_match(self::SECRET, $leaf)) {
                continue;
            }
            $value = self::scalar(self::find($given, $holder, $leaf), $kind);
            if ($value === null) {
                continue;
            }
            if (is_string($value)) {
                $value = Text::cut(str_replace($secrets, '***', $value), $longest);
            }
            if ($holder === '') {
                $kept[$leaf] = $value;
            } else {
                $kept[$holder][$leaf] = $value;
            }
        }
        return $kept;
    }

    /** Return the fields of a hookpoint, name => kind; null if there is no list. */
    public static function fields($hookpoint)
    {
        if (self::$fields === null) {
            self::$fields = require __DIR__ . '/fields.php';
        }
        if (!isset(self::$fields[$hookpoint])) {
            return null;
        }
        $found = [];
        foreach (explode(' ', self::$fields[$hookpoint]) as $word) {
            if ($word !== '') {
                $colon = strrpos($word, ':');
                $found[substr($word, 0, $colon)] = substr($word, $colon + 1);
            }
        }
        return $found;
    }

    /** Read a positive id: a whole number or its plain digits; else null. */
    public static function id($value)
    {
        if (is_int($value)) {
            return $value > 0 ? $value : null;
        }
        if (is_string($value) && preg_match('/\A[0-9]{1,18}\z/', $value)) {
            return (int) $value > 0 ? (int) $value : null;
        }
        return null;
    }

    private static function ids(array $given)
    {
        $kept = [];
        foreach ($given as $name => $value) {
            $named = is_string($name) && preg_match('/\A[A-Za-z_]{0,40}id\z/i', $name)
                && !preg_match(self::SECRET, $name);
            $id = $named ? self::id($value) : null;
            if ($id !== null && count($kept) < 100) {
                $kept[$name] = $id;
            }
        }
        return $kept;
    }

    private static function find(array $given, $holder, $leaf)
    {
        if ($holder !== '') {
            return isset($given[$holder]) && is_array($given[$holder]) && isset($given[$holder][$leaf])
                ? $given[$holder][$leaf] : null;
        }
        if (isset($given[$leaf])) {
            return $given[$leaf];
        }
        // Documented as email_preferences[general]; it may come as a nested list.
        if (preg_match('/\A(\w+)\[(\w+)\]\z/', $leaf, $part)
            && isset($given[$part[1]]) && is_array($given[$part[1]]) && isset($given[$part[1]][$part[2]])) {
            return $given[$part[1]][$part[2]];
        }
        return null;
    }

    private static function scalar($value, $kind)
    {
        if (!is_scalar($value)) {
            return null;
        }
        if ($kind === 'i') {
            $whole = is_int($value) || (is_string($value) && preg_match('/\A-?[0-9]{1,18}\z/', $value))
                || (is_float($value) && floor($value) === $value && abs($value) < 1.0e15);
            return $whole ? (int) $value : null;
        }
        if ($kind === 'b') {
            if (is_string($value) && !in_array(strtolower($value), ['', '0', '1', 'on', 'off', 'true', 'false', 'yes', 'no'], true)) {
                return null;
            }
            return is_string($value) ? in_array(strtolower($value), ['1', 'on', 'true', 'yes'], true) : (bool) $value;
        }
        if (is_float($value)) {
            return self::decimal($value);
        }
        if ($kind === 'f' && is_string($value)) {
            return preg_match('/\A-?[0-9]{1,15}(\.[0-9]{1,10})?\z/', $value) ? $value : null;
        }
        return $value;
    }

    /** Money as text: what json_encode makes of a float depends on the panel's ini. */
    private static function decimal($value)
    {
        if (!is_finite($value) || abs($value) >= 1.0e15) {
            return null;
        }
        $text = number_format($value, 6, '.', '');
        return preg_replace('/(\.[0-9]{2}[0-9]*?)0+\z/', '$1', $text);
    }

    /**
     * Return the values of secret fields, so that no text takes one along.
     *
     * Level by level, and not without end: an array may hold a reference to itself.
     */
    private static function secrets(array $given)
    {
        $found = [];
        $seen = 0;
        for ($depth = 0, $level = [$given]; $depth < 5 && $level !== []; $depth++) {
            $next = [];
            foreach ($level as $values) {
                foreach ($values as $name => $value) {
                    if (++$seen > self::MOST_VALUES || count($found) >= 200) {
                        return $found;
                    }
                    if (is_array($value)) {
                        $next[] = $value;
                    } elseif (is_string($value) && is_string($name) && strlen($value) >= 6
                        && (preg_match(self::SECRET, $name) || $name === 'serverusername')) {
                        $found[] = $value;
                    }
                }
            }
            $level = $next;
        }
        return $found;
    }
}
