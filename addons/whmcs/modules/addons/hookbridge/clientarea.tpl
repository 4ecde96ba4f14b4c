{* The page is made and escaped by lib/ClientArea.php. *}
{$hookbridge nofilter}
