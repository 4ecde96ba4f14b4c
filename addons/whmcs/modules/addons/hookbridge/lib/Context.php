<?php

namespace HookBridge;

use WHMCS\Database\Capsule;

/**
 * What only the panel knows about a hook: who acted, what changed, table rows.
 *
 * Whatever cannot be found out is left out; the bridge copes without.
 */
class Context
{
    /** Fields of a client that may be named as changed, besides those on the list. */
    const ALSO_CHANGED = ['tax_id', 'paymentmethod', 'defaultgateway'];
    /** Fields that a form sends along without anybody editing them. */
    const NOT_EDITED = ['userid', 'uuid', 'billingcid', 'email_verified'];
    const MOST_LINES = 100;
    /** Cycles as the panel's forms and price tables name them. */
    const CYCLES = [
        'monthly', 'quarterly', 'semiannually', 'annually', 'biennially', 'triennially', 'free', 'onetime',
    ];

    /** Return the context of a hook; $data is what was picked of its variables. */
    public static function of($hookpoint, array $arguments, array $data)
    {
        $given = isset($arguments[0]) && is_array($arguments[0]) ? $arguments[0] : [];
        $found = ['actor' => self::quietly(function () {
            return self::actor();
        }) ?: 'unknown'];
        $more = self::quietly(function () use ($hookpoint, $given, $data) {
            return self::more($hookpoint, $given, $data);
        });
        return is_array($more) ? $found + $more : $found;
    }

    /** Return who acts in this request: client, admin, api, system or unknown. */
    public static function actor()
    {
        $script = str_replace('\\', '/', isset($_SERVER['SCRIPT_NAME']) ? (string) $_SERVER['SCRIPT_NAME'] : '');
        if (preg_match('~/includes/api\.php\z~', $script)) {
            return 'api';
        }
        if (PHP_SAPI === 'cli' || preg_match('~/(crons?/[^/]+|modules/gateways/callback/[^/]+)\.php\z~', $script)) {
            return 'system';
        }
        if (defined('ADMINAREA')) {
            return 'admin';
        }
        $user = self::currentUser();
        if ($user !== null && self::says($user, 'isMasqueradingAdmin')) {
            return 'admin';
        }
        if (defined('CLIENTAREA')) {
            return 'client';
        }
        if ($user !== null) {
            $client = self::says($user, 'isAuthenticatedUser');
            $admin = self::says($user, 'isAuthenticatedAdmin');
            // One browser may hold both logins; then nobody can tell.
            if ($client !== $admin) {
                return $client ? 'client' : 'admin';
            }
        }
        return 'unknown';
    }

    /**
     * Return the service that is being priced, or null.
     *
     * The hook does not carry it. The client area posts it as `id`, the API as
     * `serviceid`; it counts only if the service has the plan that is left, and
     * belongs to the client of the session, or staff or the API ask.
     */
    public static function pricedService($oldProduct)
    {
        $candidates = [];
        foreach (['id', 'serviceid'] as $name) {
            $id = isset($_REQUEST[$name]) ? Picker::id($_REQUEST[$name]) : null;
            if ($id !== null) {
                $candidates[$id] = true;
            }
        }
        $fitting = [];
        foreach (array_keys($candidates) as $id) {
            $row = Capsule::table('tblhosting')->where('id', $id)->first(['id', 'userid', 'packageid']);
            if ($row !== null && (int) $row->packageid === $oldProduct && self::mayPrice((int) $row->userid)) {
                $fitting[] = $id;
            }
        }
        return count($fitting) === 1 ? $fitting[0] : null;
    }

    private static function more($hookpoint, array $given, array $data)
    {
        $id = function ($name) use ($data) {
            return isset($data[$name]) ? Picker::id($data[$name]) : null;
        };
        switch ($hookpoint) {
            case 'ClientEdit':
                return self::edited($given);
            case 'DomainDelete':
                return self::domain($id('domainid'), $id('userid'));
            case 'AfterProductUpgrade':
                return self::upgrade($id('upgradeid'));
            case 'CancellationRequest':
                return self::serviceLines($id('relid'));
            case 'OrderProductUpgradeOverride':
                return self::priced($id('oldproductid'));
            case 'ShoppingCartValidateUpgrade':
                return self::targetsOf($id('id')) + self::chosenCycle($id('id'), $id('pid'));
            case 'PreUpgradeCheckout':
                return self::upgrade($id('upgradeId'), $id('serviceId')) + self::targetsOf($id('serviceId'));
        }
        if (strncmp($hookpoint, 'Invoice', 7) === 0) {
            return self::invoiceLines($id('invoiceid'));
        }
        return [];
    }

    private static function edited(array $given)
    {
        if (!isset($given['olddata']) || !is_array($given['olddata'])) {
            return [];
        }
        $old = $given['olddata'];
        $kinds = (array) Picker::fields('ClientEdit') + array_fill_keys(self::ALSO_CHANGED, 's');
        $changed = [];
        foreach ($kinds as $name => $kind) {
            $known = array_key_exists($name, $given) && array_key_exists($name, $old);
            if ($known && !in_array($name, self::NOT_EDITED, true) && !preg_match(Picker::SECRET, $name)
                && self::plain($given[$name], $kind) !== self::plain($old[$name], $kind)) {
                $changed[] = $name;
            }
        }
        $found = ['changed' => $changed];
        if (in_array('phonenumber', $changed, true) && is_string($old['phonenumber'])) {
            $found['old_phonenumber'] = Text::cut($old['phonenumber'], 64);
        }
        return $found;
    }

    /** Return a value as text, so that 1, true and "on" are one for a flag. */
    private static function plain($value, $kind)
    {
        if ($value === null || !is_scalar($value)) {
            return '';
        }
        if ($kind === 'b') {
            return in_array(strtolower((string) $value), ['', '0', 'off', 'false', 'no'], true) ? '' : '1';
        }
        return trim(html_entity_decode((string) $value, ENT_QUOTES, 'UTF-8'));
    }

    private static function domain($domain, $client)
    {
        if ($domain === null) {
            return [];
        }
        $row = Capsule::table('tbldomains')->where('id', $domain)->first(['domain', 'userid']);
        if ($row === null || ($client !== null && (int) $row->userid !== $client)) {
            return [];
        }
        return ['domain' => Text::cut((string) $row->domain, 255)];
    }

    private static function upgrade($upgrade, $service = null)
    {
        $row = $upgrade === null ? null : (array) Capsule::table('tblupgrades')->where('id', $upgrade)->first();
        if (!$row || ($service !== null && (int) $row['relid'] !== $service)) {
            return [];
        }
        $kept = [];
        foreach (['relid', 'type', 'originalvalue', 'newvalue', 'amount', 'status'] as $name) {
            if (isset($row[$name]) && is_scalar($row[$name])) {
                $kept[$name] = $name === 'relid' ? (int) $row[$name] : Text::cut((string) $row[$name], 255);
            }
        }
        return ['upgrade' => $kept];
    }

    private static function priced($oldProduct)
    {
        $service = $oldProduct === null ? null : self::pricedService($oldProduct);
        if ($service === null) {
            return [];
        }
        return ['service_id' => $service] + self::targets($oldProduct);
    }

    private static function targetsOf($service)
    {
        if ($service === null) {
            return [];
        }
        $product = Capsule::table('tblhosting')->where('id', $service)->value('packageid');
        return $product === null ? [] : ['service_id' => $service] + self::targets((int) $product);
    }

    /**
     * Return the cycle that the client's form asks for, which the hook does not carry.
     *
     * It counts only if the same form is about this service and this plan.
     */
    private static function chosenCycle($service, $product)
    {
        $asked = function ($name) {
            return isset($_REQUEST[$name]) ? Picker::id($_REQUEST[$name]) : null;
        };
        $cycle = isset($_REQUEST['billingcycle']) ? $_REQUEST['billingcycle'] : null;
        $same = $service !== null && $product !== null && $asked('pid') === $product
            && ($asked('id') === $service || $asked('serviceid') === $service);
        return $same && in_array($cycle, self::CYCLES, true) ? ['billing_cycle' => $cycle] : [];
    }

    private static function targets($product)
    {
        $ids = [];
        $rows = Capsule::table('tblproduct_upgrade_products')
            ->where('product_id', $product)->limit(500)->pluck('upgrade_product_id');
        foreach ($rows as $target) {
            $ids[] = (int) $target;
        }
        return ['upgrade_targets' => $ids];
    }

    private static function invoiceLines($invoice)
    {
        if ($invoice === null) {
            return [];
        }
        return self::lines(Capsule::table('tblinvoiceitems')->where('invoiceid', $invoice)->orderBy('id'));
    }

    private static function serviceLines($service)
    {
        if ($service === null) {
            return [];
        }
        $query = Capsule::table('tblinvoiceitems')->where('type', 'Hosting')->where('relid', $service);
        return self::lines($query->orderBy('id', 'desc')->limit(24));
    }

    private static function lines($query)
    {
        $lines = [];
        foreach ($query->limit(self::MOST_LINES)->get(['relid', 'type', 'amount', 'duedate']) as $row) {
            $lines[] = [
                'relid' => (int) $row->relid,
                'type' => Text::cut((string) $row->type, 64),
                'amount' => (string) $row->amount,
                'duedate' => substr((string) $row->duedate, 0, 10),
            ];
        }
        return ['invoice_lines' => $lines];
    }

    private static function mayPrice($owner)
    {
        $actor = self::actor();
        if ($actor === 'admin' && defined('ADMINAREA')) {
            return true;
        }
        if ($actor === 'api') {
            return true;
        }
        return self::sessionClient() === $owner;
    }

    /** The client whose session it is, 0 for none. */
    public static function sessionClient()
    {
        $user = self::currentUser();
        if ($user !== null && method_exists($user, 'client')) {
            $client = $user->client();
            if (is_object($client) && isset($client->id)) {
                return (int) $client->id;
            }
        }
        return isset($_SESSION['uid']) ? (int) Picker::id($_SESSION['uid']) : 0;
    }

    private static function currentUser()
    {
        return class_exists('WHMCS\\Authentication\\CurrentUser') ? new \WHMCS\Authentication\CurrentUser() : null;
    }

    private static function says($user, $question)
    {
        return method_exists($user, $question) && (bool) $user->$question();
    }

    private static function quietly($find)
    {
        try {
            return $find();
        } catch (\Throwable $error) {
            return null;
        }
    }
}
