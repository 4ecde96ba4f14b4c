<?php

namespace HookBridge;

use WHMCS\Database\Capsule;

/**
 * The add-on's page in the client area: the link for a change of owner, and domains
 * that are not to be renewed. Nothing is changed here; a wish goes to the bridge as a
 * row like any other, and what it names is read again there.
 */
class ClientArea
{
    const PAGE = 'index.php?m=hookbridge';
    /** What goes to the bridge when a client does not want to renew a domain. */
    const STOP = 'DomainStopRenewal';
    const ROWS = 200;

    /** @var Words */
    private $words;
    /** @var int */
    private $client;
    /** @var array */
    private $posted;

    public function __construct(array $vars, $client, array $posted)
    {
        $this->words = new Words(isset($vars['_lang']) ? $vars['_lang'] : []);
        $this->client = (int) $client;
        $this->posted = $posted;
    }

    /** Return what the panel wants of a page of the client area. */
    public static function show($vars)
    {
        $vars = is_array($vars) ? $vars : [];
        $method = isset($_SERVER['REQUEST_METHOD']) ? (string) $_SERVER['REQUEST_METHOD'] : '';
        $page = new self($vars, Context::sessionClient(), $method === 'POST' ? $_POST : []);
        try {
            $html = $page->client > 0 ? $page->body() : '';
        } catch (\Throwable $error) {
            $html = $page->told('danger', 'area_broken');
        }
        $title = $page->words->text('area_title');
        return [
            'pagetitle' => $title,
            'breadcrumb' => [self::PAGE => $title],
            'templatefile' => 'clientarea',
            'requirelogin' => true,
            'vars' => ['hookbridge' => '<div class="hookbridge">' . $html . '</div>'],
        ];
    }

    private function body()
    {
        $do = $this->given('hookbridge_do');
        $told = '';
        if ($do !== '' && (!function_exists('check_token') || check_token() === false)) {
            $told = $this->told('danger', 'no_token');
            $do = '';
        }
        return $told . $this->owner($do === 'link') . $this->domains($do);
    }

    private function given($name)
    {
        $value = isset($this->posted[$name]) ? $this->posted[$name] : '';
        return is_string($value) ? trim(Text::cut($value, 200)) : '';
    }

    /** The form for a change of owner; with *asked* the link it was filled in for. */
    private function owner($asked)
    {
        $html = '<h3>' . $this->words->html('area_owner') . '</h3>';
        $form = Hookpoints::current();
        $form = isset($form['transfer']) ? $form['transfer'] : null;
        $services = $this->services();
        if ($form === null || $services === []) {
            return $html . '<p>' . $this->words->html($form === null ? 'area_later' : 'area_no_service') . '</p>';
        }
        $html .= '<p>' . $this->words->html('area_owner_about') . '</p>';
        if ($asked) {
            $html .= $this->link($form, $services);
        }
        $options = '';
        $chosen = $this->given('service');
        foreach ($services as $number => $name) {
            // With its number, as in the text: two services may have one name.
            $options .= '<option value="' . $number . '"' . ((string) $number === $chosen ? ' selected' : '') . '>'
                . Words::escape('#' . $number . ' ' . $name) . '</option>';
        }
        return $html . $this->form('link', '<p><label>' . $this->words->html('area_service')
            . ' <select class="form-control" name="service">' . $options . '</select></label></p>'
            . $this->field('email', 'email') . $this->field('name', 'text')
            . '<p><button class="btn btn-primary" type="submit">' . $this->words->html('area_make') . '</button></p>');
    }

    private function field($name, $type)
    {
        return '<p><label>' . $this->words->html('area_' . $name) . ' <input class="form-control" type="' . $type
            . '" name="' . $name . '" value="' . Words::escape($this->given($name)) . '" required></label></p>';
    }

    /** Who the other one is was typed here: nothing of another account is looked up. */
    private function link(array $form, array $services)
    {
        $service = $this->given('service');
        $email = $this->given('email');
        $name = implode(' ', preg_split('/\s+/u', $this->given('name'), -1, PREG_SPLIT_NO_EMPTY) ?: []);
        $good = filter_var($email, FILTER_VALIDATE_EMAIL) !== false && $name !== '';
        if (!ctype_digit($service) || !isset($services[(int) $service]) || !$good) {
            return $this->told('warning', 'area_incomplete');
        }
        $mine = Capsule::table('tblclients')->where('id', $this->client)->first();
        $text = strtr($form['texts'][$this->language($form)], [
            '{from_name}' => self::name($mine),
            '{from_email}' => self::plain($mine->email),
            '{to_name}' => $name,
            '{to_email}' => $email,
            '{service_id}' => (string) (int) $service,
            '{service}' => $services[(int) $service],
        ]);
        $address = 'https://wa.me/' . $form['whatsapp'] . '?text=' . rawurlencode($text);
        return $this->told('info', 'area_link_about')
            . '<p><a class="btn btn-success" href="' . Words::escape($address) . '">'
            . $this->words->html('area_open') . '</a></p><p><textarea class="form-control" rows="4" readonly>'
            . Words::escape($address) . '</textarea></p><p>' . Words::escape($text) . '</p>';
    }

    private function language(array $form)
    {
        $wanted = $this->words->text('area_code');
        return isset($form['texts'][$wanted]) ? $wanted : (string) key($form['texts']);
    }

    /** The domains that are to be renewed; what was pressed comes first. */
    private function domains($do)
    {
        $html = '<h3>' . $this->words->html('area_domains') . '</h3>';
        $rows = Capsule::table('tbldomains')->where('userid', $this->client)->where('status', 'Active')
            ->where('donotrenew', 0)->orderBy('domain')->limit(self::ROWS)->get(['id', 'domain', 'expirydate'])
            ->keyBy('id')->all();
        $number = $this->given('domain');
        $chosen = ctype_digit($number) && isset($rows[(int) $number]) ? $rows[(int) $number] : null;
        if ($do === 'stop' && $chosen !== null) {
            $html .= $this->toldOf('warning', 'area_stop_sure', $chosen)
                . $this->button('stop_sure', $chosen->id, 'area_stop_yes', 'btn-danger');
        }
        if ($do === 'stop_sure' && $chosen !== null) {
            $this->ask($chosen->id);
            $html .= $this->toldOf('success', 'area_stopped', $chosen);
            unset($rows[$chosen->id]);
        }
        if ($rows === []) {
            return $html . '<p>' . $this->words->html('area_no_domain') . '</p>';
        }
        $html .= '<p>' . $this->words->html('area_domains_about') . '</p><table class="table">';
        foreach ($rows as $row) {
            $html .= '<tr><td>' . Words::escape(self::plain($row->domain)) . '</td><td>'
                . Words::escape($this->day($row)) . '</td><td>'
                . $this->button('stop', $row->id, 'area_stop', 'btn-default') . '</td></tr>';
        }
        return $html . '</table>';
    }

    /** Tell something of a domain, in other words where the panel has no day for it. */
    private function toldOf($look, $name, $row)
    {
        $day = $this->day($row);
        return $this->told($look, $day === '' ? $name . '_undated' : $name, self::plain($row->domain), $day);
    }

    /** The day until which a domain is paid, as clients read days; '' where there is none. */
    private function day($row)
    {
        $day = substr((string) $row->expirydate, 0, 10);
        if ($day === '' || $day === '0000-00-00') {
            return '';
        }
        // The panel's own way: https://developers.whmcs.com/advanced/date-functions/
        $shown = function_exists('fromMySQLDate') ? trim((string) fromMySQLDate($day, false, true)) : '';
        return $shown !== '' ? $shown : $this->words->day($day);
    }

    /** Write the wish down as a row; it leaves at the end of the request. */
    private function ask($domain)
    {
        $data = ['userid' => $this->client, 'domainid' => (int) $domain];
        $body = Event::json(self::STOP, $data, ['actor' => 'client']);
        Outbox::put(Sender::newId(), self::STOP, $body);
        Hooks::atTheEnd();
    }

    private function button($do, $domain, $word, $look)
    {
        return $this->form($do, '<input type="hidden" name="domain" value="' . (int) $domain . '">'
            . '<button class="btn ' . $look . '" type="submit">' . $this->words->html($word) . '</button>');
    }

    private function form($do, $inner)
    {
        $token = function_exists('generate_token') ? (string) generate_token('plain') : '';
        return '<form method="post" action="' . self::PAGE . '"><input type="hidden" name="token" value="'
            . Words::escape($token) . '"><input type="hidden" name="hookbridge_do" value="' . $do . '">'
            . $inner . '</form>';
    }

    private function told($look, $name, ...$values)
    {
        return '<div class="alert alert-' . $look . '">' . $this->words->html($name, ...$values) . '</div>';
    }

    /** The client's active services, number => as the bridge names them. */
    private function services()
    {
        $rows = Capsule::table('tblhosting')->join('tblproducts', 'tblproducts.id', '=', 'tblhosting.packageid')
            ->where('tblhosting.userid', $this->client)->where('tblhosting.domainstatus', 'Active')
            ->orderBy('tblhosting.id')->limit(self::ROWS)
            ->get(['tblhosting.id', 'tblhosting.domain', 'tblproducts.name']);
        $found = [];
        foreach ($rows as $row) {
            $domain = self::plain($row->domain);
            $found[(int) $row->id] = self::plain($row->name) . ($domain === '' ? '' : ' (' . $domain . ')');
        }
        return $found;
    }

    private static function name($client)
    {
        $name = trim(self::plain($client->firstname) . ' ' . self::plain($client->lastname));
        return $name !== '' ? $name : self::plain($client->companyname);
    }

    /** The panel keeps what people typed as HTML; the bridge reads it as text. */
    private static function plain($text)
    {
        return trim(html_entity_decode((string) $text, ENT_QUOTES | ENT_HTML5, 'UTF-8'));
    }
}
