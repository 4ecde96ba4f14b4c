<?php

namespace HookBridge;

/**
 * The add-on's page in the admin area. It works without JavaScript; everything that
 * is shown is escaped, and every button carries the panel's token.
 */
class Page
{
    /** So many rows in trouble are shown, and can be handled at once. */
    const ROWS = 50;
    const LABELS = ['good' => 'success', 'warn' => 'warning', 'bad' => 'danger'];
    const STYLE = '<style>.hookbridge table{background:#fff}.hookbridge td,.hookbridge th{vertical-align:top}'
        . '.hookbridge form{display:inline}.hookbridge .alert p{margin:0}'
        . '.hookbridge .said{overflow-wrap:anywhere;max-width:32em}.hookbridge h2{margin-top:1.4em}</style>';

    /** @var Words */
    private $words;
    /** @var string where the forms go */
    private $link;
    /** @var int */
    private $now;

    public function __construct(array $vars)
    {
        $this->words = new Words(isset($vars['_lang']) ? $vars['_lang'] : []);
        $link = isset($vars['modulelink']) ? $vars['modulelink'] : '';
        $this->link = is_string($link) && $link !== '' ? $link : 'addonmodules.php?module=' . Settings::MODULE;
        $this->now = time();
    }

    /** Return the whole page; what goes wrong becomes a sentence on it. */
    public static function render($vars)
    {
        $page = new self(is_array($vars) ? $vars : []);
        try {
            $buttons = new Buttons();
            $method = isset($_SERVER['REQUEST_METHOD']) ? (string) $_SERVER['REQUEST_METHOD'] : '';
            $buttons->press($method, $_POST);
            $inner = $page->told($buttons->told) . $page->doubt($buttons->doubtful) . $page->body($buttons->doubtful);
        } catch (\Throwable $error) {
            $inner = $page->told([['bad', 'broken', [get_class($error)]]]);
        }
        return '<div class="hookbridge">' . self::STYLE . $inner . '</div>';
    }

    private function body(array $chosen)
    {
        $settings = Settings::load();
        $html = '';
        if (!$settings->complete()) {
            $html .= $this->told([['bad', 'not_set_up', [$settings->problem()]]]);
        }
        return $html . $this->queue() . $this->troubled($chosen) . $this->test($settings) . $this->hookpoints()
            . $this->transfers();
    }

    /** What was found or done, each a coloured line. */
    private function told(array $told)
    {
        $html = '';
        foreach ($told as $one) {
            list($level, $name, $values) = $one;
            foreach ($values as $number => $value) {
                $values[$number] = is_string($value) ? $this->words->said($value) : $value;
            }
            $html .= '<div class="alert alert-' . self::LABELS[$level] . '"><p>'
                . $this->words->html($name, ...$values) . '</p></div>';
        }
        return $html;
    }

    /** Ask once more before rows are dropped: they cannot be brought back. */
    private function doubt(array $rows)
    {
        if ($rows === []) {
            return '';
        }
        $hidden = '';
        foreach ($rows as $row) {
            $hidden .= '<input type="hidden" name="rows[]" value="' . (int) $row . '">';
        }
        return '<div class="alert alert-warning"><p>' . $this->words->html('drop_question', count($rows)) . '</p><p>'
            . $this->form($hidden . $this->button('drop_sure', 'danger'))
            . ' <a class="btn btn-default" href="' . Words::escape($this->link) . '">'
            . $this->words->html('leave') . '</a></p></div>';
    }

    private function queue()
    {
        $counts = Outbox::counts($this->now);
        $oldest = $counts['oldest'] === null ? $this->words->text('none') : $this->words->span($counts['oldest']);
        $rows = [
            ['waiting', $this->words->text('waiting_rows', $counts['waiting'], $counts['aside'])],
            ['oldest', $oldest],
            ['parked', (string) $counts['parked']],
            ['last_success', $this->moment(Log::lastSuccess())],
            ['last_error', $this->moment(Log::lastError())],
        ];
        $pause = State::get(Courier::PAUSE);
        if ($pause !== null && $pause[1] > $this->now) {
            $rows[] = ['paused', $this->words->span($pause[1] - $this->now)];
        }
        return $this->head('queue') . $this->pairs($rows);
    }

    private function moment($noted)
    {
        if ($noted === null || $noted[1] < 1) {
            return $this->words->text('never');
        }
        return $this->words->ago($noted[1], $this->now) . ': ' . $this->words->said($noted[0]);
    }

    private function troubled(array $chosen)
    {
        $rows = Outbox::troubled(self::ROWS);
        $html = $this->head('troubled');
        if ($rows === []) {
            return $html . '<p>' . $this->words->html('no_troubled') . '</p>';
        }
        $lines = '';
        foreach ($rows as $row) {
            $id = 'row' . (int) $row->seq;
            $cells = [
                '<input type="checkbox" name="rows[]" id="' . $id . '" value="' . (int) $row->seq . '"'
                    . (in_array($row->seq, $chosen, true) ? ' checked' : '') . '>',
                '<label for="' . $id . '">' . Words::escape($row->hookpoint) . '</label>',
                $this->words->html($row->state === 'parked' ? 'state_parked' : 'state_aside'),
                Words::escape($this->words->ago($row->created_at, $this->now)),
                (int) $row->tries,
                Words::escape($this->words->said($row->error)),
                '<code>' . Words::escape($row->id) . '</code>',
            ];
            // Only what has no blanks of its own may break anywhere.
            $long = '<td class="said">' . implode('</td><td class="said">', array_splice($cells, -2)) . '</td>';
            $lines .= '<tr><td>' . implode('</td><td>', $cells) . '</td>' . $long . '</tr>';
        }
        $heads = ['', 'hookpoint', 'state', 'since', 'tries', 'answer', 'id'];
        $table = $this->table($heads, $lines);
        $buttons = '<p>' . $this->button('again', 'primary') . ' ' . $this->button('drop', 'default') . '</p>';
        return $html . '<p>' . $this->words->html('troubled_about') . '</p>' . $this->form($table . $buttons);
    }

    private function test(Settings $settings)
    {
        $address = $settings->base() === '' ? $this->words->text('none') : $settings->hooksUrl();
        return $this->head('test_head') . $this->pairs([['address', $address], ['version', Settings::VERSION]])
            . '<p>' . $this->words->html('test_about') . '</p>' . $this->form($this->button('test', 'primary'));
    }

    private function hookpoints()
    {
        $active = Hookpoints::current();
        $default = $active['source'] === 'default';
        $why = $this->words->html($default ? 'why_default' : 'why_map');
        $lines = '';
        foreach ($active['hookpoints'] as $name) {
            $lines .= $this->hookpoint($name, 'kind_event', $why);
        }
        foreach ($active['decisions'] as $name) {
            $known = in_array($name, Decisions::known(), true);
            $lines .= $this->hookpoint($name, 'kind_decision', $known ? $why : $this->words->html('why_not'));
        }
        $lines .= $this->hookpoint('AfterCronJob', 'kind_own', $this->words->html('why_own'));
        $asked = $default
            ? $this->words->html('asked_never')
            : $this->words->html('asked_at', $this->words->ago($active['asked_at'], $this->now), $active['map']);
        return $this->head('hookpoints') . '<p>' . $asked . ' ' . $this->form($this->button('ask', 'default')) . '</p>'
            . $this->table(['hookpoint', 'kind', 'why'], $lines);
    }

    private function hookpoint($name, $kind, $why)
    {
        return '<tr><td>' . Words::escape($name) . '</td><td>' . $this->words->html($kind) . '</td><td>' . $why
            . '</td></tr>';
    }

    private function transfers()
    {
        $html = $this->head('transfers');
        $refused = State::get(Endpoint::UNSIGNED);
        if ($refused !== null) {
            $html .= '<p>' . $this->words->html('transfer_unsigned', $this->moment($refused)) . '</p>';
        }
        $lines = '';
        foreach (Transfer::latest(10) as $row) {
            $moved = (int) strtotime($row->moved_at . ' UTC');
            $lines .= '<tr><td>' . (int) $row->service_id . '</td><td>' . (int) $row->from_client_id . '</td><td>'
                . (int) $row->to_client_id . '</td><td>' . Words::escape($this->words->ago($moved, $this->now))
                . '</td><td class="said"><code>' . Words::escape($row->webhook_id) . '</code></td></tr>';
        }
        if ($lines === '') {
            return $html . '<p>' . $this->words->html('no_transfers') . '</p>';
        }
        return $html . $this->table(['service', 'from', 'to', 'since', 'id'], $lines);
    }

    private function head($name)
    {
        return '<h2>' . $this->words->html($name) . '</h2>';
    }

    private function pairs(array $rows)
    {
        $html = '';
        foreach ($rows as $row) {
            $html .= '<tr><th scope="row">' . $this->words->html($row[0]) . '</th><td class="said">'
                . Words::escape($row[1]) . '</td></tr>';
        }
        return '<table class="table table-condensed"><tbody>' . $html . '</tbody></table>';
    }

    private function table(array $names, $lines)
    {
        $heads = '';
        foreach ($names as $name) {
            $heads .= '<th scope="col">' . ($name === '' ? '' : $this->words->html($name)) . '</th>';
        }
        return '<table class="table table-striped table-condensed"><thead><tr>' . $heads . '</tr></thead><tbody>'
            . $lines . '</tbody></table>';
    }

    private function form($inner)
    {
        $token = function_exists('generate_token') ? (string) generate_token('plain') : '';
        return '<form method="post" action="' . Words::escape($this->link) . '"><input type="hidden" name="token" value="'
            . Words::escape($token) . '">' . $inner . '</form>';
    }

    private function button($do, $look)
    {
        return '<button class="btn btn-' . $look . '" type="submit" name="' . Buttons::FIELD . '" value="' . $do . '">'
            . $this->words->html('do_' . $do) . '</button>';
    }
}
