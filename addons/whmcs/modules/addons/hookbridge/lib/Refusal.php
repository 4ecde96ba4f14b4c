<?php
/** A reason not to move a service: one word for programs, one sentence for people. */

namespace HookBridge;

class Refusal extends \RuntimeException
{
    /** @var string */
    private $reason;

    public function __construct($reason, $sentence)
    {
        parent::__construct($sentence);
        $this->reason = $reason;
    }

    /** Return the one word. */
    public function reason()
    {
        return $this->reason;
    }
}
