<?php
/**
 * Moves a service to another client when the bridge, signed, asks for it.
 *
 * POST with a body as {"type": "transfer", "timestamp": "...", "data": {"service_id": 1,
 * "from_client_id": 2, "to_client_id": 3}} and the three headers of a delivery. The
 * answer is JSON and nothing else: whatever the panel prints while it loads is thrown
 * away, and should it end the request, the answer says that nothing was changed.
 */

require_once __DIR__ . '/lib/autoload.php';

$hookbridgeEndpoint = new HookBridge\Endpoint();
$hookbridgeEndpoint->begin();

// The panel wants to be loaded in the global scope. Symbolic links: the folder in
// which the web server found this file comes first.
foreach ($hookbridgeEndpoint->panels(__DIR__) as $hookbridgePanel) {
    if (is_file($hookbridgePanel . '/init.php')) {
        require_once $hookbridgePanel . '/init.php';
        break;
    }
}
unset($hookbridgePanel);

$hookbridgeEndpoint->answer();
