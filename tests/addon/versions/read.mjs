// Reads the add-on with one version of PHP: node read.mjs 7-2 FOLDER [VECTORS]
//
// Prints {"php": "7.2.34", "files": {name: [problems]}, "vectors": [problems]}.
// A file that declares things is included, one that acts is only compiled; every
// notice and deprecation counts. Functions that this version lacks are named.
import { readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { PHP, loadPHPRuntime } from '@php-wasm/universal';

const [version, folder, vectors] = process.argv.slice(2);
const { getPHPLoaderModule } = await import(`@php-wasm/node-${version}`);
const php = new PHP(await loadPHPRuntime(await getPHPLoaderModule(), {}));

// The panel's own functions, and those of web servers that the add-on looks for first.
const PANEL = ['add_hook', 'logactivity', 'logmodulecall', 'localapi', 'generate_token',
  'check_token', 'decrypt', 'frommysqldate', 'fastcgi_finish_request', 'litespeed_finish_request'];

const PRELUDE = `<?php
error_reporting(E_ALL);
$said = [];
set_error_handler(function ($number, $words, $file, $line) use (&$said) {
    $said[] = $words . ' on line ' . $line;
    return true;
});
register_shutdown_function(function () use (&$said) {
    $last = error_get_last();
    if ($last !== null) {
        $said[] = $last['message'] . ' on line ' . $last['line'];
    }
    echo json_encode($said, JSON_PARTIAL_OUTPUT_ON_ERROR);
});
ini_set('display_errors', '0');
define('WHMCS', true);
function add_hook() {}
spl_autoload_register(function ($class) {
    $file = '/addon/lib/' . substr($class, 11) . '.php';
    if (strncmp($class, 'HookBridge\\\\', 11) === 0 && is_file($file)) {
        require_once $file;
    }
});
`;

async function run(code) {
  const done = await php.runStream({ code: PRELUDE + code });
  const told = await done.stdoutText;
  try {
    return JSON.parse(told);
  } catch {
    return [`${told} ${await done.stderrText}`.trim() || 'PHP ended without a word'];
  }
}

const names = readdirSync(folder, { recursive: true })
  .map((name) => relative('.', name)).filter((name) => name.endsWith('.php')).sort();
for (const name of names) {
  php.mkdir(join('/addon', name, '..'));
  php.writeFile(join('/addon', name), readFileSync(join(folder, name), 'utf8'));
}

// Which functions are called that neither this PHP nor the add-on has.
const UNKNOWN = `
$known = json_decode('${JSON.stringify(PANEL)}', true);
$called = [];
foreach (new RecursiveIteratorIterator(new RecursiveDirectoryIterator('/addon')) as $file) {
    if (substr($file, -4) !== '.php') { continue; }
    $before = null; $tokens = [];
    foreach (token_get_all(file_get_contents($file)) as $token) {
        if (is_array($token) && in_array($token[0], [T_WHITESPACE, T_COMMENT, T_DOC_COMMENT])) { continue; }
        $tokens[] = $token;
    }
    $plain = [T_STRING];
    if (defined('T_NAME_FULLY_QUALIFIED')) { $plain[] = T_NAME_FULLY_QUALIFIED; }
    foreach ($tokens as $i => $token) {
        $next = isset($tokens[$i + 1]) ? $tokens[$i + 1] : '';
        // In PHP 7 each part of a name is a token of its own.
        $back = $i - 1;
        while ($back > 0 && is_array($tokens[$back]) && $tokens[$back][0] === T_NS_SEPARATOR) {
            $back -= is_array($tokens[$back - 1]) && $tokens[$back - 1][0] === T_STRING ? 2 : 1;
        }
        $last = $back >= 0 && is_array($tokens[$back]) ? $tokens[$back][0] : null;
        if (!is_array($token) || !in_array($token[0], $plain) || $next !== '(') { continue; }
        $name = strtolower(ltrim($token[1], chr(92)));
        if ($last === T_FUNCTION) { $known[] = $name; continue; }
        if (in_array($last, [T_OBJECT_OPERATOR, T_DOUBLE_COLON, T_NEW])) { continue; }
        $called[$name] = basename($file) . ' calls ' . $name . '() on line ' . $token[2];
    }
}
foreach ($called as $name => $where) {
    if (!in_array($name, $known, true) && !function_exists($name)) { $said[] = $where; }
}
`;

const VECTORS = `
foreach (json_decode(file_get_contents('/vectors.json'), true)['cases'] as $case) {
    $name = isset($case['name']) ? $case['name'] : '?';
    $keys = [];
    foreach ($case['secrets'] as $secret) {
        $key = HookBridge\\Signer::key($secret);
        if ($key !== null) { $keys[] = $key; }
    }
    $body = base64_decode($case['body_base64']);
    $why = HookBridge\\Signer::verify($case['id'], $case['timestamp'], $case['signature'],
        $body, $keys, $case['now']);
    if (($why === '') !== $case['accepted']) { $said[] = $name . ': ' . $why; }
}
`;

const files = {};
for (const name of names) {
  const text = readFileSync(join(folder, name), 'utf8');
  if (/^namespace |^function |^\$_ADDONLANG/m.test(text) && !/^add_hook|^foreach|^\$hookbridge/m.test(text)) {
    files[name] = await run(`require_once '/addon/${name}';`);
  } else {
    php.writeFile('/compiled.php', text.replace('<?php', '<?php return;'));
    files[name] = await run("require '/compiled.php';");
  }
}
const answer = { php: '', files, unknown: await run(UNKNOWN), vectors: [] };
if (vectors) {
  php.writeFile('/vectors.json', readFileSync(vectors, 'utf8'));
  answer.vectors = await run(VECTORS);
}
answer.php = (await run('$said[] = PHP_VERSION;'))[0];
console.log(JSON.stringify(answer));
process.exit(0);
