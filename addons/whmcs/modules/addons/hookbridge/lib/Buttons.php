<?php

namespace HookBridge;

/**
 * What the page's buttons do, once the panel has said that its token is right.
 */
class Buttons
{
    const FIELD = 'hookbridge_do';
    const KNOWN = ['test', 'ask', 'again', 'drop', 'drop_sure'];

    /** @var array what is to be told above the page: [level, text, values] */
    public $told = [];
    /** @var int[] rows that are dropped if staff say so once more */
    public $doubtful = [];

    /** Do what was pressed, if anything was and it came from our own page. */
    public function press($method, array $posted)
    {
        $do = isset($posted[self::FIELD]) && is_string($posted[self::FIELD]) ? $posted[self::FIELD] : '';
        if ($method !== 'POST' || !in_array($do, self::KNOWN, true)) {
            return;
        }
        // The panel's own check ends the page when the token is not right.
        if (!function_exists('check_token') || check_token('WHMCS.admin.default') === false) {
            $this->tell('bad', 'no_token');
            return;
        }
        $rows = self::rows($posted);
        if ($do === 'test') {
            $this->told = Probe::run(Settings::load());
        } elseif ($do === 'ask') {
            $this->ask();
        } elseif ($rows === []) {
            $this->tell('warn', 'none_chosen');
        } elseif ($do === 'drop') {
            $this->doubtful = $rows;
        } else {
            $this->change($do, $rows);
        }
    }

    private function ask()
    {
        $settings = Settings::load();
        if (!$settings->complete()) {
            $this->tell('bad', 'test_settings', $settings->problem());
            return;
        }
        $why = Hookpoints::ask($settings, (new Sender($settings))->lookUp());
        if ($why === '') {
            $this->tell('good', 'asked');
        } else {
            $this->tell('bad', 'asked_in_vain', $why);
        }
    }

    private function change($do, array $rows)
    {
        $done = 0;
        foreach ($rows as $row) {
            $done += (int) ($do === 'again' ? Outbox::again($row) : Outbox::drop($row));
        }
        $this->tell('good', $do === 'again' ? 'sent_again' : 'dropped', $done);
        if ($do !== 'again' && $done > 0) {
            Log::activity('staff dropped ' . $done . ' rows (' . implode(', ', $rows) . ').');
        }
    }

    private static function rows(array $posted)
    {
        $found = [];
        $given = isset($posted['rows']) && is_array($posted['rows']) ? $posted['rows'] : [];
        foreach (array_slice($given, 0, Page::ROWS) as $row) {
            if (is_string($row) && preg_match('/\A[1-9][0-9]{0,17}\z/', $row)) {
                $found[] = (int) $row;
            }
        }
        return array_values(array_unique($found));
    }

    private function tell($level, $name, ...$values)
    {
        $this->told[] = [$level, $name, $values];
    }
}
