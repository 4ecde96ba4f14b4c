<?php

namespace HookBridge;

/**
 * The test that staff start: one signed question, and what its answer tells.
 *
 * It keeps to the time limits of deliveries, so that what passes here passes there.
 */
class Probe
{
    /** More than this between the clocks is told before it becomes an error (seconds). */
    const SKEW = 30;

    /** @var array [good, bad or warn; name of a text; its values] */
    private $found = [];

    /** Ask the bridge. Return the findings: [level, text, values]. */
    public static function run(Settings $settings, $now = null)
    {
        $probe = new self();
        if (!$settings->complete()) {
            $probe->add('bad', 'test_settings', $settings->problem());
            return $probe->found;
        }
        $sender = (new Sender($settings))->lookUp();
        $answer = $sender->send('GET', $settings->hookpointsUrl(), Sender::newId(), '');
        $probe->judge($answer, $now === null ? time() : $now);
        return $probe->found;
    }

    private function judge(Answer $answer, $now)
    {
        $took = (int) round($answer->seconds * 1000);
        if ($answer->status === 0) {
            $this->add('bad', 'test_unreachable', $answer->words(), $took);
            return;
        }
        $this->add('good', 'test_reached', $took);
        $skew = $this->skew($answer, $now);
        if ($answer->status === 401) {
            $late = $skew !== null && abs($skew) > Signer::TOLERANCE;
            $this->add('bad', $late ? 'test_refused_clock' : 'test_refused');
        } elseif ($answer->status === 404) {
            $this->add('bad', 'test_not_there');
        } elseif ($answer->status !== 200 || !self::isList($answer->json())) {
            $this->add('bad', 'test_other', $answer->words());
        } else {
            $this->add('good', 'test_signed');
            $this->versions($answer->json());
        }
    }

    /** Compare the clocks: the bridge's by its Date header, at half of the way. */
    private function skew(Answer $answer, $now)
    {
        $date = isset($answer->headers['date']) ? strtotime($answer->headers['date']) : false;
        if ($date === false) {
            $this->add('warn', 'test_no_clock');
            return null;
        }
        $skew = (int) round($date - ($now - $answer->seconds / 2));
        $level = abs($skew) > Signer::TOLERANCE ? 'bad' : (abs($skew) > self::SKEW ? 'warn' : 'good');
        $this->add($level, $level === 'good' ? 'test_clock' : 'test_clock_off', sprintf('%+d', $skew));
        return $skew;
    }

    private function versions(array $told)
    {
        $this->add('good', 'test_map', $told['map'], count($told['hookpoints']));
        if (!isset($told['version']) || !is_string($told['version'])) {
            $this->add('good', 'test_version', Settings::VERSION);
            return;
        }
        $same = self::series($told['version']) === self::series(Settings::VERSION);
        $name = $same ? 'test_versions' : 'test_versions_differ';
        $this->add($same ? 'good' : 'warn', $name, $told['version'], Settings::VERSION);
    }

    private static function isList($told)
    {
        return is_array($told) && isset($told['hookpoints'], $told['decisions'], $told['map'])
            && is_array($told['hookpoints']) && is_array($told['decisions']) && is_scalar($told['map']);
    }

    private static function series($version)
    {
        return implode('.', array_slice(explode('.', $version), 0, 2));
    }

    private function add($level, $name, ...$values)
    {
        $this->found[] = [$level, $name, $values];
    }
}
