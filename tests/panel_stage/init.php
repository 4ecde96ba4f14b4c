<?php
/**
 * Loads the stage: what the panel's own init.php gives to whoever includes it.
 *
 * STAGE_DATABASE (JSON: socket, database, username, password) says where its tables are;
 * STAGE_CLOCK, in Unix seconds, what time it is for the add-on.
 */

if (!defined('WHMCS')) {
    define('WHMCS', true);
}

error_reporting(E_ALL);
ini_set('display_errors', '1');
ini_set('html_errors', '0');
date_default_timezone_set(getenv('STAGE_TIMEZONE') ?: 'America/Argentina/Buenos_Aires');

if (getenv('STAGE_CLOCK') !== false) {
    $GLOBALS['stageClock'] = (int) getenv('STAGE_CLOCK');
}

require_once __DIR__ . '/stage.php';

Stage::open();
