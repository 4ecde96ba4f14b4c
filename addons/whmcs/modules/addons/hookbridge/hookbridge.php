<?php
/**
 * Hook bridge: forwards the panel's hooks to the bridge, signed, and asks it for
 * decisions. Documented entry points of an add-on module; the work is in lib/.
 */

if (!defined('WHMCS')) {
    die('This file cannot be accessed directly');
}

require_once __DIR__ . '/lib/autoload.php';

function hookbridge_config()
{
    return [
        'name' => 'Hook bridge',
        'description' => 'Forwards hooks to the bridge as signed webhooks and asks it for decisions.',
        'version' => HookBridge\Settings::VERSION,
        'author' => 'whmcs-bridge',
        'language' => 'english',
        'fields' => [
            'address' => [
                'FriendlyName' => 'Address of the bridge',
                'Type' => 'text',
                'Size' => '60',
                'Default' => '',
                'Description' => 'Like https://bridge.example.com',
            ],
            'secret' => [
                'FriendlyName' => 'Secret',
                'Type' => 'password',
                'Size' => '60',
                'Default' => '',
                'Description' => 'The newest of BRIDGE_SIGNING_SECRETS (whsec_...)',
            ],
            'drop_table' => [
                'FriendlyName' => 'On removal',
                'Type' => 'yesno',
                'Description' => 'Drop the tables too, with all rows that were not delivered, when the add-on is deactivated',
            ],
        ],
    ];
}

function hookbridge_activate()
{
    try {
        HookBridge\Schema::create();
        return [
            'status' => 'success',
            'description' => 'The table is made. Now enter address and secret, then press Test on the page of the add-on.',
        ];
    } catch (\Throwable $error) {
        return ['status' => 'error', 'description' => 'The table could not be made: ' . $error->getMessage()];
    }
}

function hookbridge_deactivate()
{
    try {
        if (HookBridge\Settings::load()->dropTable()) {
            HookBridge\Schema::drop();
            return ['status' => 'success', 'description' => 'The tables are dropped.'];
        }
        return ['status' => 'success', 'description' => 'The tables are kept, with the rows that were not delivered.'];
    } catch (\Throwable $error) {
        return ['status' => 'error', 'description' => 'The tables could not be dropped: ' . $error->getMessage()];
    }
}

function hookbridge_upgrade($vars)
{
    try {
        HookBridge\Schema::create();
    } catch (\Throwable $error) {
        HookBridge\Log::activity('the tables could not be brought up to date; deactivate and activate the add-on.');
    }
}

function hookbridge_output($vars)
{
    echo HookBridge\Page::render($vars);
}

function hookbridge_clientarea($vars)
{
    return HookBridge\ClientArea::show($vars);
}
