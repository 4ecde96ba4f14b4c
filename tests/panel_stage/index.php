<?php
/**
 * One page of the stage. Takes JSON:
 *
 *   as       client, guest, admin, masquerading, api, callback (of a payment gateway), cron
 *   client   the client of the session
 *   request  what the form posted, for $_REQUEST
 *   fire     list of [hookpoint, variables, times]; {"object": "..."} becomes
 *            an object, {"bytes": "hex"} a text that may be no text
 *   cron     true: AfterCronJob fires after them, as in the panel's cron
 *   session  true: the page has a session, and holds it until its end
 *   clock    what time it is for the add-on, in Unix seconds
 *   sql      list of [statement, values], carried out last, when nothing was fired
 *   then     wait so many milliseconds before the page is done
 *
 * Answers JSON {"page": what was printed, "answers": [...], "spent": [seconds], "rows": [...]}.
 */

$stageAsked = json_decode((string) file_get_contents('php://input'), true);
if (isset($stageAsked['clock'])) {
    $stageClock = $stageAsked['clock'];
}
$stageAs = isset($stageAsked['as']) ? $stageAsked['as'] : 'guest';

// Which script it is and the constants are known before the panel is loaded.
$stageScripts = ['admin' => '/admin/clientsservices.php', 'api' => '/includes/api.php', 'callback' => '/modules/gateways/callback/mercadopago.php', 'cron' => '/crons/cron.php'];
$_SERVER['SCRIPT_NAME'] = isset($stageScripts[$stageAs]) ? $stageScripts[$stageAs] : '/upgrade.php';
if ($stageAs === 'admin') {
    define('ADMINAREA', true);
} elseif (in_array($stageAs, ['client', 'guest', 'masquerading'], true)) {
    define('CLIENTAREA', true);
}
foreach (isset($stageAsked['request']) ? $stageAsked['request'] : [] as $stageName => $stageValue) {
    $_REQUEST[$stageName] = $stageValue;
}

ob_start();
require __DIR__ . '/init.php';

Stage::$login = [
    'admin' => in_array($stageAs, ['admin', 'masquerading'], true),
    'masquerading' => $stageAs === 'masquerading',
    'user' => in_array($stageAs, ['client', 'masquerading'], true),
    'client' => isset($stageAsked['client']) ? $stageAsked['client'] : 0,
];
if (!empty($stageAsked['session'])) {
    session_id('stagesession');
    session_start(['use_cookies' => 0, 'cache_limiter' => '']);
    $_SESSION['uid'] = Stage::$login['client'];
}

$stageTold = Stage::play(isset($stageAsked['fire']) ? $stageAsked['fire'] : []);
if (!empty($stageAsked['cron'])) {
    $stageBegan = microtime(true);
    Stage::fire('AfterCronJob', [[]]);
    $stageTold['cron'] = microtime(true) - $stageBegan;
}
foreach (isset($stageAsked['sql']) ? $stageAsked['sql'] : [] as $stageOne) {
    $stageDb = WHMCS\Database\Capsule::connection();
    $stageTold['rows'][] = preg_match('/\A\s*(SELECT|SHOW)/i', $stageOne[0])
        ? $stageDb->select($stageOne[0], $stageOne[1]) : $stageDb->affectingStatement($stageOne[0], $stageOne[1]);
}
if (!empty($stageAsked['then'])) {
    usleep(1000 * $stageAsked['then']);
}
$stageTold['page'] = ob_get_clean();
header('Content-Type: application/json');
echo json_encode($stageTold);
