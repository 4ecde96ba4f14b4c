<?php

namespace HookBridge;

use WHMCS\Database\Capsule;

/**
 * What staff entered on the add-on's configuration page: address and secret.
 */
class Settings
{
    const MODULE = 'hookbridge';
    const VERSION = '0.1.0';
    /** A shorter secret is not used (bytes, decoded); the bridge refuses it too. */
    const SHORTEST_SECRET = 24;

    private static $loaded = null;

    private $base;
    private $panel;
    private $keys;
    private $problem;
    private $dropTable;

    /** @param array $values setting name => text, as in tbladdonmodules */
    public function __construct(array $values)
    {
        $this->problem = '';
        $this->readAddress(self::text($values, 'address'));
        $this->readSecret(self::text($values, 'secret'));
        $this->dropTable = in_array(strtolower(self::text($values, 'drop_table')), ['on', 'yes', '1'], true);
    }

    /** Return the settings of this panel; read once a request. */
    public static function load()
    {
        if (self::$loaded === null) {
            $values = [];
            $rows = Capsule::table('tbladdonmodules')
                ->where('module', self::MODULE)
                ->whereIn('setting', ['address', 'secret', 'drop_table'])
                ->get();
            foreach ($rows as $row) {
                $values[$row->setting] = (string) $row->value;
            }
            self::$loaded = new self($values);
        }
        return self::$loaded;
    }

    /** Forget what was read, so that the next `load` reads it again. */
    public static function forget()
    {
        self::$loaded = null;
    }

    /** Whether anything can be sent at all. */
    public function complete()
    {
        return $this->problem === '';
    }

    /** Return in words what is missing or wrong, or an empty text; never the secret. */
    public function problem()
    {
        return $this->problem;
    }

    /** Return the bridge's base address, without a slash at its end. */
    public function base()
    {
        return $this->base;
    }

    public function hooksUrl()
    {
        return $this->base . '/hooks/' . $this->panel;
    }

    public function hookpointsUrl()
    {
        return $this->base . '/hooks/' . $this->panel . '/hookpoints';
    }

    public function decisionsUrl()
    {
        return $this->base . '/decisions/' . $this->panel;
    }

    /** Return the signing keys as bytes, newest first; the newest one signs. */
    public function keys()
    {
        return $this->keys;
    }

    /** Whether the tables go too when the add-on is deactivated. */
    public function dropTable()
    {
        return $this->dropTable;
    }

    /** Return what must never stand in a log: the secrets, as entered and decoded. */
    public function secrets()
    {
        $found = [];
        foreach ($this->keys as $key) {
            $found[] = base64_encode($key);
            $found[] = $key;
        }
        return $found;
    }

    private function readAddress($address)
    {
        $this->base = '';
        $this->panel = 'whmcs';
        $address = rtrim(html_entity_decode($address, ENT_QUOTES, 'UTF-8'), '/');
        // Whoever pasted the whole address of the hooks meant the same.
        if (preg_match('~\A(.*)/hooks/([A-Za-z0-9_-]{1,64})\z~', $address, $found)) {
            $address = $found[1];
            $this->panel = $found[2];
        }
        if ($address === '') {
            $this->problem = 'The address of the bridge is not set.';
            return;
        }
        $parts = parse_url($address);
        $scheme = is_array($parts) && isset($parts['scheme']) ? strtolower($parts['scheme']) : '';
        $host = is_array($parts) && isset($parts['host']) ? strtolower($parts['host']) : '';
        $plain = $scheme === 'http' && in_array($host, ['localhost', '127.0.0.1', '[::1]'], true);
        if ($host === '' || isset($parts['user']) || isset($parts['query']) || isset($parts['fragment'])) {
            $this->problem = 'The address of the bridge is not an address like https://bridge.example.com.';
        } elseif ($scheme !== 'https' && !$plain) {
            $this->problem = 'The address of the bridge must begin with https:// (http:// only for this machine).';
        } else {
            $this->base = $address;
        }
    }

    private function readSecret($text)
    {
        $this->keys = [];
        foreach (preg_split('/[\s,]+/', self::decrypted($text), -1, PREG_SPLIT_NO_EMPTY) as $word) {
            $key = Signer::key($word);
            if ($key !== null) {
                $this->keys[] = $key;
            }
        }
        if ($this->keys === [] && $this->problem === '') {
            $this->problem = $text === ''
                ? 'The secret is not set.'
                : 'The secret is not one of the bridge: it begins with whsec_ and is base64 of 24 bytes or more.';
        }
    }

    /** Some versions of the panel keep fields of type "password" encrypted. */
    private static function decrypted($text)
    {
        if ($text !== '' && strpos($text, 'whsec_') === false && function_exists('decrypt')) {
            $plain = decrypt($text);
            if (is_string($plain) && strpos($plain, 'whsec_') === 0) {
                return $plain;
            }
        }
        return $text;
    }

    private static function text(array $values, $name)
    {
        return isset($values[$name]) && is_scalar($values[$name]) ? trim((string) $values[$name]) : '';
    }
}
