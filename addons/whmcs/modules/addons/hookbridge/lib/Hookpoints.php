<?php

namespace HookBridge;

/**
 * Which hookpoints the bridge's map uses, as it said last.
 */
class Hookpoints
{
    const STATE = 'hookpoints';
    /** The cron asks again when the last answer is older, in seconds. */
    const FRESH = 300;
    /** What the map that comes with the bridge uses: until the first answer. */
    const DEFAULTS = [
        'AfterModuleCreate', 'AfterModuleSuspend', 'AfterModuleTerminate', 'AfterModuleUnsuspend',
        'AfterProductUpgrade', 'CancellationRequest', 'ClientAdd', 'ClientChangePassword', 'ClientEdit',
        'DomainDelete', 'InvoiceCancelled', 'InvoiceCreated', 'InvoicePaid', 'InvoicePaymentReminder',
        'QuoteStatusChange', 'UserChangePassword',
    ];

    /**
     * Return what to register: hookpoints, decisions (lists of names), map (its
     * version), asked_at (Unix seconds), source ("bridge" or "default").
     */
    public static function current()
    {
        try {
            $kept = State::get(self::STATE);
            $told = $kept === null ? null : self::read(json_decode($kept[0], true));
            if ($told !== null) {
                return $told + ['asked_at' => $kept[1], 'source' => 'bridge'];
            }
        } catch (\Throwable $error) {
            // Without the table: the default map's hookpoints.
        }
        return [
            'hookpoints' => self::DEFAULTS,
            'decisions' => Decisions::known(),
            'map' => '',
            'asked_at' => 0,
            'source' => 'default',
        ];
    }

    /** Ask the bridge now; '' if it said, else in words why not. The last good answer stays. */
    public static function ask(Settings $settings, Sender $sender)
    {
        $answer = $sender->send('GET', $settings->hookpointsUrl(), Sender::newId(), '');
        $told = self::understands($answer) ? self::read($answer->json()) : null;
        if ($told === null) {
            $words = 'Asking for the hookpoints: ' . $answer->words();
            $sender->fail($words);
            return $words;
        }
        State::put(self::STATE, json_encode($told), time());
        return '';
    }

    /** Whether an answer has the shape that is asked for. */
    public static function understands(Answer $answer)
    {
        return $answer->status === 200 && self::read($answer->json()) !== null;
    }

    /** Whether the cron should ask again. */
    public static function stale($now)
    {
        $kept = State::get(self::STATE);
        return $kept === null || $kept[1] <= $now - self::FRESH || $kept[1] > $now + self::FRESH;
    }

    /** Read an answer of the right shape, else null. */
    private static function read($told)
    {
        if (!is_array($told) || !isset($told['hookpoints'], $told['decisions'], $told['map']) || !is_scalar($told['map'])) {
            return null;
        }
        $found = ['map' => (string) $told['map']];
        foreach (['hookpoints', 'decisions'] as $list) {
            if (!is_array($told[$list]) || count($told[$list]) > 1000) {
                return null;
            }
            foreach ($told[$list] as $name) {
                if (!is_string($name) || !preg_match('/\A[A-Za-z][A-Za-z0-9_]{0,63}\z/', $name)) {
                    return null;
                }
            }
            $found[$list] = array_values(array_unique($told[$list]));
        }
        $form = self::readForm(isset($told['transfer']) ? $told['transfer'] : null);
        return $form === null ? $found : $found + ['transfer' => $form];
    }

    /** Read the text of a change of owner and the number it goes to; null if it is odd. */
    private static function readForm($told)
    {
        if (!is_array($told) || !isset($told['whatsapp'], $told['texts']) || !is_array($told['texts'])) {
            return null;
        }
        $number = is_string($told['whatsapp']) ? preg_replace('/[^0-9]/', '', $told['whatsapp']) : '';
        $texts = [];
        foreach ($told['texts'] as $language => $text) {
            if (is_string($text) && strlen($text) <= 4000 && preg_match('/\A[a-z]{2,3}(_[A-Z]{2})?\z/', (string) $language)) {
                $texts[$language] = $text;
            }
        }
        return $number === '' || $texts === [] ? null : ['whatsapp' => $number, 'texts' => $texts];
    }
}
