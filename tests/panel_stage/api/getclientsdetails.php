<?php
/** GetClientsDetails as documented, so far as an add-on asks: client and verification. */

use WHMCS\Database\Capsule;

return function (array $values) {
    $client = Capsule::table('tblclients')->where('id', (int) $values['clientid'])->first();
    if ($client === null) {
        return ['result' => 'error', 'message' => 'Client Not Found'];
    }
    return [
        'result' => 'success',
        'client' => [
            'id' => (int) $client->id,
            'email' => $client->email,
            'email_verified' => (bool) $client->email_verified,
            'currency' => (int) $client->currency,
            'status' => $client->status,
        ],
    ];
};
