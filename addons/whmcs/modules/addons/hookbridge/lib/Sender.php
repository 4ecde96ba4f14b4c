<?php

namespace HookBridge;

/**
 * The only connection we open: to the bridge, kept for all of one request.
 *
 * All tries of one request of the panel share two seconds, and after the first
 * failure there is none any more, whoever asks.
 */
class Sender
{
    const CONNECT_MS = 500;
    const WHOLE_MS = 2000;
    /** No answer of the bridge is larger; what goes on beyond is cut off. */
    const LARGEST = 65536;

    private static $shared = null;

    private $settings;
    private $handle = null;
    private $left = self::WHOLE_MS;
    private $failed = '';
    /** @var Lookup */
    private $lookup;

    public function __construct(Settings $settings)
    {
        $this->settings = $settings;
        $this->lookup = new Lookup($settings->base());
    }

    /** Return the sender of this request. */
    public static function shared()
    {
        if (self::$shared === null) {
            self::$shared = new self(Settings::load());
        }
        return self::$shared;
    }

    /** Begin a new request: only tests, and the page's own buttons, need that. */
    public static function forget()
    {
        self::$shared = null;
    }

    public static function newId()
    {
        return 'msg_' . bin2hex(random_bytes(16));
    }

    /** Whether anything may still be sent in this request. */
    public function may()
    {
        return $this->failed === '' && $this->left > 50 && $this->settings->complete()
            && function_exists('curl_init') && $this->lookup->ready();
    }

    /** Return why nothing may be sent any more, '' if it may. */
    public function why()
    {
        if (!$this->settings->complete()) {
            return $this->settings->problem();
        }
        if (!function_exists('curl_init')) {
            return 'PHP has no curl extension.';
        }
        if ($this->failed !== '') {
            return $this->failed;
        }
        if (!$this->lookup->ready()) {
            return 'the name of the bridge was not looked up yet: the cron does that, and the test';
        }
        return $this->left > 50 ? '' : 'the time of this request is used up';
    }

    /** Let name servers be asked: for the cron and for staff, who may wait. */
    public function lookUp()
    {
        $this->lookup->allow();
        return $this;
    }

    /**
     * Give each further try its own two seconds: for the cron, which nobody waits
     * for, as long as the bridge goes on taking what it is given.
     */
    public function extend()
    {
        $this->left = self::WHOLE_MS;
    }

    /** Say that what came back is a failure, so that nothing more is tried. */
    public function fail($words)
    {
        $this->failed = $words;
    }

    /** Send one signed request now. Look at `may` first; it is signed anew each time. */
    public function send($method, $url, $id, $body)
    {
        $answer = new Answer();
        if (!$this->may()) {
            $answer->error = $this->why();
            return $answer;
        }
        $began = microtime(true);
        try {
            $this->exchange($answer, $method, $url, $id, $body);
        } catch (\Throwable $error) {
            $answer->status = 0;
            $answer->error = 'the request could not be made (' . get_class($error) . ')';
        }
        $answer->seconds = microtime(true) - $began;
        $this->left -= (int) ceil($answer->seconds * 1000);
        if ($answer->error !== '') {
            $this->fail($answer->error);
        }
        return $answer;
    }

    private function exchange(Answer $answer, $method, $url, $id, $body)
    {
        if ($this->handle === null) {
            $this->handle = curl_init();
        }
        $keys = $this->settings->keys();
        $now = time();
        $size = 0;
        $options = [
            CURLOPT_URL => $url,
            CURLOPT_CUSTOMREQUEST => $method,
            CURLOPT_HTTPHEADER => [
                'Content-Type: application/json',
                'Accept: application/json',
                'Expect:',
                'User-Agent: whmcs-hookbridge/' . Settings::VERSION,
                'webhook-id: ' . $id,
                'webhook-timestamp: ' . $now,
                'webhook-signature: ' . Signer::sign($keys[0], $id, $now, $body),
            ],
            CURLOPT_CONNECTTIMEOUT_MS => min(self::CONNECT_MS, $this->left),
            CURLOPT_TIMEOUT_MS => min(self::WHOLE_MS, $this->left),
            // Without it a timeout of less than a second ends at once in some builds.
            CURLOPT_NOSIGNAL => true,
            CURLOPT_FOLLOWLOCATION => false,
            CURLOPT_PROTOCOLS => CURLPROTO_HTTP | CURLPROTO_HTTPS,
            CURLOPT_PROXY => '',
            CURLOPT_RESOLVE => $this->lookup->entries(),
            CURLOPT_SSL_VERIFYPEER => true,
            CURLOPT_SSL_VERIFYHOST => 2,
            CURLOPT_TCP_NODELAY => true,
            CURLOPT_HEADERFUNCTION => function ($curl, $line) use ($answer) {
                $parts = explode(':', $line, 2);
                if (count($parts) === 2 && count($answer->headers) < 50) {
                    $answer->headers[strtolower(trim($parts[0]))] = trim($parts[1]);
                }
                return strlen($line);
            },
            CURLOPT_WRITEFUNCTION => function ($curl, $part) use ($answer, &$size) {
                $size += strlen($part);
                if ($size > self::LARGEST) {
                    return -1;
                }
                $answer->body .= $part;
                return strlen($part);
            },
        ];
        if ($method === 'POST') {
            $options[CURLOPT_POSTFIELDS] = $body;
        }
        curl_setopt_array($this->handle, $options);
        $done = curl_exec($this->handle);
        $answer->connected = curl_getinfo($this->handle, CURLINFO_PRETRANSFER_TIME) > 0;
        if ($done === false) {
            $answer->error = $this->words(curl_errno($this->handle), $answer->connected);
            $this->close();
            return;
        }
        $answer->status = (int) curl_getinfo($this->handle, CURLINFO_HTTP_CODE);
        $this->lookup->learn((string) curl_getinfo($this->handle, CURLINFO_PRIMARY_IP));
        if ($method === 'POST') {
            // The handle is used for GET as well, which must not carry a body.
            curl_setopt($this->handle, CURLOPT_HTTPGET, true);
        }
    }

    private function close()
    {
        // Since PHP 8 a handle closes with its last reference.
        $this->handle = null;
    }

    private function words($number, $connected)
    {
        if ($number === CURLE_OPERATION_TIMEOUTED) {
            return $connected ? 'the bridge did not finish its answer in time' : 'the bridge could not be reached in time';
        }
        if ($number === CURLE_COULDNT_RESOLVE_HOST) {
            return 'the name of the bridge cannot be found';
        }
        if ($number === CURLE_COULDNT_CONNECT) {
            return 'nothing listens at the address of the bridge';
        }
        if ($number === CURLE_WRITE_ERROR) {
            return 'the answer of the bridge has no end';
        }
        if (in_array($number, [35, 51, 58, 60, 77, 83], true)) {
            return 'the certificate or the encryption of the bridge is not right (curl error ' . $number . ')';
        }
        return 'the connection to the bridge broke (curl error ' . $number . ')';
    }
}
