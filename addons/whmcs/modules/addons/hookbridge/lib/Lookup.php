<?php

namespace HookBridge;

/**
 * Where the bridge's name led last. Pages go there and ask no name server.
 *
 * curl waits for a name server that does not answer, whatever its own time limits
 * are: ten seconds, with the system's defaults. So only the cron and staff ask one;
 * what they learn is kept for the pages. The certificate is that of the name anyway.
 */
class Lookup
{
    const STATE = 'bridge_ip';

    private $host;
    private $port;
    /** @var bool whether a name server may be asked */
    private $may = false;
    private $known = null;

    /** @param string $base the bridge's base address */
    public function __construct($base)
    {
        $parts = parse_url($base);
        $parts = is_array($parts) ? $parts + ['scheme' => '', 'host' => ''] : ['scheme' => '', 'host' => ''];
        $this->host = strtolower($parts['host']);
        $this->port = isset($parts['port']) ? $parts['port'] : ($parts['scheme'] === 'http' ? 80 : 443);
    }

    /** From now on name servers may be asked, for a second each. */
    public function allow()
    {
        $this->may = true;
        if (function_exists('putenv') && getenv('RES_OPTIONS') === false) {
            putenv('RES_OPTIONS=timeout:1 attempts:1');
        }
    }

    /** Whether a request can be made without waiting for a name server. */
    public function ready()
    {
        return $this->may || !$this->isName() || $this->known() !== '';
    }

    /** Return what curl is to take the name for, nothing if it is to find out. */
    public function entries()
    {
        if ($this->may || !$this->isName() || $this->known() === '') {
            return [];
        }
        $known = $this->known();
        return [$this->host . ':' . $this->port . ':' . (strpos($known, ':') === false ? $known : "[$known]")];
    }

    /** Keep where an answer came from. */
    public function learn($ip)
    {
        if (!$this->may || !$this->isName() || $ip === $this->known() || !filter_var($ip, FILTER_VALIDATE_IP)) {
            return;
        }
        try {
            State::put(self::STATE, $this->host . ' ' . $ip, time());
            $this->known = $ip;
        } catch (\Throwable $error) {
            // Without the table the next cron asks again.
        }
    }

    private function known()
    {
        if ($this->known === null) {
            $this->known = '';
            try {
                $kept = State::get(self::STATE);
                $words = $kept === null ? [] : explode(' ', $kept[0]);
                if (count($words) === 2 && $words[0] === $this->host && filter_var($words[1], FILTER_VALIDATE_IP)) {
                    $this->known = $words[1];
                }
            } catch (\Throwable $error) {
                return $this->known;
            }
        }
        return $this->known;
    }

    private function isName()
    {
        return !filter_var(trim($this->host, '[]'), FILTER_VALIDATE_IP);
    }
}
