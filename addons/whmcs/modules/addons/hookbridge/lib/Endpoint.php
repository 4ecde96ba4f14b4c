<?php

namespace HookBridge;

/**
 * The door of transfer.php: who may ask, in which form, and answers that are JSON only.
 */
class Endpoint
{
    /** A transfer's body is three numbers; more bytes than this are none. */
    const LIMIT = 16384;
    /** Under this name the page finds why a request was turned away. */
    const UNSIGNED = 'transfer_unsigned';

    /** @var array what came, kept before the panel touches it */
    private $server = [];
    /** @var string */
    private $body = '';
    /** @var bool whether the answer has gone out */
    private $answered = false;

    /** Take the request; answer at once what needs no panel to be refused. */
    public function begin()
    {
        ini_set('display_errors', '0');
        ignore_user_abort(true);
        ob_start(function () {
            return '';
        });
        register_shutdown_function([$this, 'giveUp']);
        $this->server = $_SERVER;
        $method = $this->given('REQUEST_METHOD');
        if ($method !== 'POST') {
            $this->say(405, self::problem('Only POST is answered here.'), ['Allow: POST']);
        }
        $type = strtolower(trim(explode(';', $this->given('CONTENT_TYPE'))[0]));
        if ($type !== 'application/json') {
            $this->say(415, self::problem('The body must be application/json.'));
        }
        $body = file_get_contents('php://input', false, null, 0, self::LIMIT + 1);
        $this->body = $body === false ? '' : $body;
        if (strlen($this->body) > self::LIMIT) {
            $this->say(413, self::problem('The body is over 16 KiB.'));
        }
        foreach (['ID', 'TIMESTAMP', 'SIGNATURE'] as $name) {
            if ($this->given('HTTP_WEBHOOK_' . $name) === '') {
                $this->say(401, self::unsigned());
            }
        }
    }

    /** Return the folders in which the panel may lie, seen from the add-on's. */
    public function panels($here)
    {
        $script = $this->given('SCRIPT_FILENAME');
        $found = [dirname($here, 3)];
        if ($script !== '') {
            array_unshift($found, dirname($script, 4));
        }
        return array_unique($found);
    }

    /** Check the signature, move the service, answer. */
    public function answer()
    {
        if (!class_exists('WHMCS\\Database\\Capsule')) {
            $this->say(503, self::problem('The panel could not be loaded; nothing was changed.'));
        }
        try {
            list($status, $answer) = $this->handle();
        } catch (\Throwable $error) {
            $status = 503;
            $answer = self::problem('The panel failed; nothing was changed.');
        }
        $this->say($status, $answer);
    }

    private function handle()
    {
        $id = $this->given('HTTP_WEBHOOK_ID');
        $why = Signer::verify(
            $id,
            $this->given('HTTP_WEBHOOK_TIMESTAMP'),
            $this->given('HTTP_WEBHOOK_SIGNATURE'),
            $this->body,
            Settings::load()->keys(),
            time()
        );
        if ($why !== '') {
            $this->noteUnsigned($why);
            return [401, self::unsigned()];
        }
        list($asked, $wrong) = Transfer::read($this->body);
        if ($asked === null) {
            return [400, self::problem($wrong)];
        }
        $api = function_exists('localAPI') ? 'localAPI' : null;
        $transfer = new Transfer(new Conditions($api));
        return $transfer->move($id, $this->body, $asked);
    }

    /** Keep for the add-on's page why the last request was turned away: the answer
        does not say it. One row, and not at every request of a flood. */
    private function noteUnsigned($why)
    {
        try {
            $before = State::get(self::UNSIGNED);
            if ($before === null || $before[1] < time() - 10) {
                State::put(self::UNSIGNED, $why, time());
            }
        } catch (\Throwable $error) {
            return;
        }
    }

    /** Answer when the panel ended the request by itself, or failed for good. */
    public function giveUp()
    {
        if (!$this->answered) {
            $this->send(503, self::problem('The panel ended the request.'), []);
        }
    }

    private function say($status, array $answer, array $headers = [])
    {
        $this->send($status, $answer, $headers);
        exit;
    }

    private function send($status, array $answer, array $headers)
    {
        $this->answered = true;
        for ($level = ob_get_level(); $level > 0; $level--) {
            try {
                @ob_end_clean();
            } catch (\Throwable $error) {
                // A buffer's own function failed; the buffer is gone all the same.
                continue;
            }
        }
        if (!headers_sent()) {
            header_remove();
            // With the status here: a fatal error has set a line that http_response_code leaves.
            header('Content-Type: application/json', true, $status);
            header('Cache-Control: no-store');
            header('X-Content-Type-Options: nosniff');
            if ($status === 503) {
                header('Retry-After: 5');
            }
            foreach ($headers as $header) {
                header($header);
            }
        }
        echo json_encode($answer, JSON_UNESCAPED_SLASHES | JSON_PARTIAL_OUTPUT_ON_ERROR);
        // Whatever the panel still prints while it shuts down goes nowhere.
        ob_start(function () {
            return '';
        });
    }

    private function given($name)
    {
        $value = isset($this->server[$name]) ? $this->server[$name] : '';
        return is_string($value) ? $value : '';
    }

    private static function problem($reason)
    {
        return ['status' => 'error', 'reason' => $reason];
    }

    private static function unsigned()
    {
        return self::problem('The signature or its time is not right.');
    }
}
