<?php
/**
 * The client area's page of the add-on, as the panel shows it: ?client= is who is logged
 * in (0: nobody), ?language= his language, ?dates=1: the panel has its helper for dates.
 */

define('CLIENTAREA', true);
$_SERVER['SCRIPT_NAME'] = '/index.php';

require __DIR__ . '/init.php';

require_once __DIR__ . '/modules/addons/hookbridge/hookbridge.php';

if (isset($_GET['dates'])) {
    /** https://developers.whmcs.com/advanced/date-functions/ */
    function fromMySQLDate($datetimestamp, $includeTime = false, $applyClientDateFormat = false)
    {
        return date($applyClientDateFormat ? 'jS F Y' : 'm/d/Y', strtotime($datetimestamp)) . ($includeTime ? ' 00:00' : '');
    }
}

Stage::$login['client'] = isset($_GET['client']) ? (int) $_GET['client'] : 0;
$stageLanguage = isset($_GET['language']) && is_string($_GET['language']) ? $_GET['language'] : 'english';
$_ADDONLANG = [];
$stageFile = __DIR__ . '/modules/addons/hookbridge/lang/' . basename($stageLanguage) . '.php';
if (is_file($stageFile)) {
    require $stageFile;
}
$stagePage = hookbridge_clientarea(['modulelink' => 'index.php?m=hookbridge', '_lang' => $_ADDONLANG]);
if (!$stagePage['requirelogin'] || !is_file(__DIR__ . '/modules/addons/hookbridge/' . $stagePage['templatefile'] . '.tpl')) {
    exit('not a page of the client area');
}
echo '<title>' . htmlspecialchars($stagePage['pagetitle']) . '</title>' . $stagePage['vars']['hookbridge'];
