<?php
/**
 * Loaded by the panel with every request while the add-on is active.
 */

if (!defined('WHMCS')) {
    die('This file cannot be accessed directly');
}

require_once __DIR__ . '/lib/autoload.php';

HookBridge\Hooks::register();
