<?php
/** The panel has two kinds of Portuguese; the add-on's page has one. */

require __DIR__ . '/portuguese-br.php';
