<?php
/**
 * The panel's cron: fires what standard input says, then AfterCronJob.
 *
 * Prints nothing but what hooks print, and, with STAGE_TELL, what they answered.
 */

$stageAsked = json_decode((string) stream_get_contents(STDIN), true) ?: [];
if (isset($stageAsked['clock'])) {
    $stageClock = $stageAsked['clock'];
}

require __DIR__ . '/init.php';

$stageTold = Stage::play(isset($stageAsked['fire']) ? $stageAsked['fire'] : []);
$stageBegan = microtime(true);
Stage::fire('AfterCronJob', [[]]);
$stageTold['cron'] = microtime(true) - $stageBegan;
if (getenv('STAGE_TELL')) {
    file_put_contents(getenv('STAGE_TELL'), json_encode($stageTold));
}
