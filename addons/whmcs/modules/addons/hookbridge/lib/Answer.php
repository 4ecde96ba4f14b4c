<?php

namespace HookBridge;

/**
 * What came back from the bridge, or why nothing did.
 */
class Answer
{
    /** HTTP status, 0 if there was no whole answer. */
    public $status = 0;
    /** Body as text, at most Sender::LARGEST bytes. */
    public $body = '';
    /** Headers by lower-case name. */
    public $headers = [];
    /** In words why there is no whole answer, '' if there is one. */
    public $error = '';
    /** Whether a connection was made: only then the request may have arrived. */
    public $connected = false;
    /** How long it took, in seconds. */
    public $seconds = 0.0;

    /** Return the body as a map if it is a JSON object, else null. */
    public function json()
    {
        $found = $this->status > 0 ? json_decode($this->body, true, 32) : null;
        return is_array($found) && substr(ltrim($this->body), 0, 1) === '{' ? $found : null;
    }

    /** Whether the bridge says that it has the delivery $id: a 2xx with its JSON. */
    public function took($id)
    {
        $told = $this->json();
        return $this->status >= 200 && $this->status < 300
            && is_array($told) && isset($told['event']) && $told['event'] === $id;
    }

    /** Whether the delivery will never be taken as it is. */
    public function refuses()
    {
        return in_array($this->status, [400, 409, 413], true);
    }

    /** Return in one sentence what is wrong with this answer. */
    public function words()
    {
        if ($this->error !== '') {
            return $this->error;
        }
        $told = $this->json();
        if ($this->status >= 200 && $this->status < 300) {
            return 'HTTP ' . $this->status . ', but it is not the answer of the bridge';
        }
        $words = 'HTTP ' . $this->status;
        if ($this->status >= 300 && $this->status < 400) {
            return $words . ': the address leads elsewhere, and a redirect is not followed';
        }
        foreach (['title', 'detail'] as $name) {
            if (is_array($told) && isset($told[$name]) && is_string($told[$name])) {
                // It ends up in the panel's activity log, which may take it for markup.
                $plain = preg_replace('/[<>\x00-\x1f\x7f]+/', ' ', Text::cut($told[$name], 150));
                $words .= ($name === 'title' ? ' ' : ': ') . trim($plain);
            }
        }
        return $words;
    }
}
