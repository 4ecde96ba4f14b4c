<?php
/**
 * Units of the add-on without a panel: run as `php units.php <add-on> <vectors.json>`.
 *
 * Prints one line for each failure, then how many checks there were.
 */

error_reporting(E_ALL);
set_error_handler(function ($number, $message, $file, $line) {
    throw new ErrorException($message, 0, $number, $file, $line);
});

require $argv[1] . '/lib/autoload.php';

use HookBridge\Answer;
use HookBridge\Decisions;
use HookBridge\Event;
use HookBridge\Hookpoints;
use HookBridge\Picker;
use HookBridge\Settings;
use HookBridge\Signer;
use HookBridge\Text;

$checks = 0;
function same($expected, $found, $what)
{
    global $checks;
    $checks++;
    if ($expected !== $found) {
        echo $what, ': ', var_export($found, true), ' is not ', var_export($expected, true), "\n";
    }
}

// --- Signatures: the vectors that Python reads too ---
$vectors = json_decode(file_get_contents($argv[2]), true);
same(Signer::TOLERANCE, $vectors['tolerance_seconds'], 'tolerance');
foreach ($vectors['secrets'] as $case) {
    same($case['usable'], Signer::key($case['secret']) !== null, 'secret: ' . $case['name']);
}
foreach ($vectors['cases'] as $case) {
    $keys = array_map([Signer::class, 'key'], $case['secrets']);
    $body = base64_decode($case['body_base64']);
    $why = Signer::verify($case['id'], $case['timestamp'], $case['signature'], $body, $keys, $case['now']);
    same($case['accepted'], $why === '', 'vector: ' . $case['name'] . ' (' . $why . ')');
    $plain = $case['accepted'] && strpos($case['signature'], ' ') === false;
    if ($plain) {
        $made = [];
        foreach ($keys as $key) {
            $made[] = Signer::sign($key, $case['id'], (int) $case['timestamp'], $body);
        }
        same(true, in_array($case['signature'], $made, true), 'signed: ' . $case['name']);
    }
}

// --- Settings ---
$secret = 'whsec_' . base64_encode(str_repeat('k', 32));
$other = 'whsec_' . base64_encode(str_repeat('o', 24));
$settings = new Settings(['address' => ' https://b.example.com/base/ ', 'secret' => "$other, $secret"]);
same('', $settings->problem(), 'complete');
same('https://b.example.com/base/hooks/whmcs', $settings->hooksUrl(), 'hooks url');
same('https://b.example.com/base/decisions/whmcs', $settings->decisionsUrl(), 'decisions url');
same(str_repeat('o', 24), $settings->keys()[0], 'the first secret signs');
$pasted = new Settings(['address' => 'https://b.example.com/hooks/panel2', 'secret' => $secret]);
same('https://b.example.com/hooks/panel2/hookpoints', $pasted->hookpointsUrl(), 'pasted');
$good = ['http://127.0.0.1:8080', 'http://localhost', 'http://[::1]:80', 'HTTPS://b.example.com', 'https://b.example.com:8443'];
foreach ($good as $address) {
    same(true, (new Settings(['address' => $address, 'secret' => $secret]))->complete(), $address);
}
$bad = ['http://b.example.com', 'http://127.0.0.1.example.com', 'ftp://b.example.com', 'b.example.com', '//b.example.com',
    'https://', 'https://u@b.example.com', 'https://b.example.com?x=1', 'https://b.example.com#x', 'file:///etc/passwd', 'http://127.0.0.1@evil.example'];
foreach ($bad as $address) {
    same(false, (new Settings(['address' => $address, 'secret' => $secret]))->complete(), $address);
}
foreach ([[], ['address' => []], ['secret' => null, 'address' => null]] as $odd) {
    same(false, (new Settings($odd))->complete(), 'odd settings');
}
foreach ([$settings, $pasted] as $one) {
    same(false, strpos($one->problem() . serialize([$one->base()]), 'kkkk'), 'no secret in words');
}

// --- Texts ---
same('ábc', Text::cut('ábcdef', 3), 'cut between characters');
same('😀😀', Text::cut('😀😀😀', 2), 'cut emoji');
same("caf\u{fffd}", Text::cut("caf\xe9", 10), 'bytes that are no text');
same('', Text::cut('', 5), 'empty');

// --- What leaves ---
$pick = function ($hookpoint, $data) {
    return Picker::pick($hookpoint, [$data]);
};
same(['invoiceid' => 5], $pick('InvoicePaid', ['invoiceid' => '5', 'invoice' => new stdClass()]), 'objects stay');
same(['invoiceid' => 5], $pick('InvoicePaid', ['invoiceid' => 5.0]), 'whole floats are numbers');
same([], $pick('InvoicePaid', ['invoiceid' => '5 or 6']), 'no text for a number');
same([], $pick('InvoicePaid', ['invoiceid' => 5.5]), 'no part of a number');
same(['params' => ['serviceid' => 1, 'domain' => 'a.example']],
    $pick('AfterModuleSuspend', ['params' => ['serviceid' => 1, 'domain' => 'a.example', 'password' => 'x', 'configoption1' => 'k']]), 'nested');
same([], $pick('AfterModuleSuspend', ['params' => 'text']), 'params that are no list');
same(['userid' => 1, 'email_preferences[general]' => true],
    $pick('ClientEdit', ['userid' => 1, 'email_preferences' => ['general' => '1', 'x' => 'y']]), 'preferences, nested');
same(['userid' => 1, 'email_preferences[general]' => false],
    $pick('ClientEdit', ['userid' => 1, 'email_preferences[general]' => 0]), 'preferences, flat');
same('24.79', $pick('OrderProductUpgradeOverride', ['price' => 24.79])['price'], 'money');
same('0.00', $pick('OrderProductUpgradeOverride', ['price' => 0.0])['price'], 'no money');
same('-8.6712', $pick('OrderProductUpgradeOverride', ['price' => -8.6712])['price'], 'four decimals');
same('0.30', $pick('OrderProductUpgradeOverride', ['price' => 0.1 + 0.2])['price'], 'a float as it is meant');
foreach ([NAN, INF, 1e20, '1e3', 'x', []] as $odd) {
    same([], $pick('OrderProductUpgradeOverride', ['price' => $odd]), 'no money: ' . json_encode($odd, JSON_PARTIAL_OUTPUT_ON_ERROR));
}
same(2000, mb_strlen($pick('CancellationRequest', ['relid' => 1, 'reason' => str_repeat('ñ', 5000)])['reason']), 'long texts');
foreach ([0, -1, '0', '01x', ' 1', '1 ', "1\n", '1.0', 1.0, true, null, [], '99999999999999999999', ''] as $odd) {
    same(null, Picker::id($odd), 'no id: ' . json_encode($odd));
}
same(7, Picker::id('007'), 'leading zeros');

// --- Bodies ---
$body = Event::json('InvoicePaid', [], []);
same(true, strpos($body, '"data":{},"context":{}') !== false, 'empty maps are maps');
same(1, preg_match('/"timestamp":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d"/', $body), 'the time has its zone');
same(0, preg_match('/[^\x20-\x7e]/', Event::json('X', ['a' => "é😀\x00\xff"], [])), 'ASCII only');

// --- Answers ---
$answer = function ($status, $body, $error = '') {
    $made = new Answer();
    $made->status = $status;
    $made->body = $body;
    $made->error = $error;
    return $made;
};
same(true, $answer(202, '{"event": "m", "status": "accepted"}')->took('m'), 'accepted');
same(true, $answer(200, '{"event": "m", "status": "duplicate"}')->took('m'), 'duplicate');
$odd = [[202, '{"event": "n"}'], [200, '<html>'], [200, ''], [204, ''], [200, '"m"'], [200, '["m"]'], [200, '{"event": ["m"]}'],
    [200, '{"event": true}'], [200, '{}'], [302, '{"event": "m"}'], [500, '{"event": "m"}'], [0, '{"event": "m"}'],
    [200, str_repeat('[', 5000)], [200, '{"event": 0}']];
foreach ($odd as $one) {
    same(false, $answer($one[0], $one[1])->took('m'), 'not taken: ' . $one[0] . ' ' . substr($one[1], 0, 30));
}
same('HTTP 409 Another body: the first one stands', $answer(409, '{"title": "Another body", "detail": "the first one stands"}')->words(), 'problem');
same('HTTP 500', $answer(500, '<b>')->words(), 'no problem document');

// --- Kinds of opinion that end up as money ---
same(['price' => 50.0], Decisions::read('OrderProductUpgradeOverride', ['price' => '50.00']), 'price');
same(null, Decisions::read('OrderProductUpgradeOverride', ['amount' => '50.00']), 'amount is not its word');
same(null, Decisions::read('PreUpgradeCheckout', ['price' => '50.00']), 'price is not its word');

same(16, count(array_unique(Hookpoints::DEFAULTS)), 'default hookpoints');

echo $checks, " checks\n";
