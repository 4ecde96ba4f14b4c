<?php
/**
 * The admin area's page of the add-on: its output inside a frame that looks a little like
 * the panel's own. ?language= is the language of the admin who looks.
 */

define('ADMINAREA', true);
$_SERVER['SCRIPT_NAME'] = '/admin/addonmodules.php';

require __DIR__ . '/init.php';

require_once __DIR__ . '/modules/addons/hookbridge/hookbridge.php';

$stageLanguage = isset($_GET['language']) && is_string($_GET['language']) ? $_GET['language'] : 'english';
$_ADDONLANG = [];
$stageFile = __DIR__ . '/modules/addons/hookbridge/lang/' . basename($stageLanguage) . '.php';
if (is_file($stageFile)) {
    require $stageFile;
}
$stageVars = [
    'modulelink' => 'addonmodules.php?module=hookbridge&language=' . urlencode($stageLanguage),
    'version' => '0.1.0',
    '_lang' => $_ADDONLANG,
];
?>
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Hook bridge</title>
<style>
body{font:14px/1.43 "Open Sans","DejaVu Sans",sans-serif;color:#333;margin:0;background:#f6f6f6}
header{background:#1a4d80;color:#fff;padding:12px 24px;font-weight:bold}
main{max-width:1140px;margin:0 auto;padding:16px 24px;background:#fff}
h1{font-size:26px;font-weight:400}h2{font-size:19px;font-weight:400}
table{width:100%;border-collapse:collapse;margin-bottom:16px}
td,th{padding:5px;border-top:1px solid #ddd;text-align:left}
.table-striped tbody tr:nth-child(odd){background:#f9f9f9}th[scope=row]{width:14em}
label{font-weight:700}code{font-size:12px;color:#c7254e;background:#f9f2f4;padding:2px 4px}
.btn{display:inline-block;padding:6px 12px;border:1px solid #ccc;border-radius:4px;background:#fff;font:inherit;color:#333;text-decoration:none;cursor:pointer}
.btn-primary{background:#337ab7;border-color:#2e6da4;color:#fff}.btn-danger{background:#d9534f;border-color:#d43f3a;color:#fff}
.alert{padding:12px;margin-bottom:12px;border-radius:4px;border:1px solid}
.alert-success{color:#3c763d;background:#dff0d8;border-color:#d6e9c6}
.alert-warning{color:#8a6d3b;background:#fcf8e3;border-color:#faebcc}
.alert-danger{color:#a94442;background:#f2dede;border-color:#ebccd1}
</style>
</head>
<body>
<header>The panel (a stage)</header>
<main>
<h1>Hook bridge</h1>
<?php hookbridge_output($stageVars); ?>
</main>
</body>
</html>
