//! speedscope's files, against the part of its published schema that they use.

use serde_json::{Value, json};

use super::{
    build::{hostile, server},
    fixture,
};
use crate::{
    answer::{Profile, Weight},
    export::speedscope::encode,
};

/// What the published schema asks of a file with sampled profiles.
fn schema() -> Value {
    json!({
        "type": "object",
        "required": ["$schema", "shared", "profiles"],
        "properties": {
            "$schema": { "const": "https://www.speedscope.app/file-format-schema.json" },
            "name": { "type": "string" },
            "exporter": { "type": "string" },
            "activeProfileIndex": { "type": "integer", "minimum": 0 },
            "shared": {
                "type": "object",
                "required": ["frames"],
                "properties": { "frames": { "type": "array", "items": {
                    "type": "object",
                    "required": ["name"],
                    "additionalProperties": false,
                    "properties": {
                        "name": { "type": "string", "minLength": 1 },
                        "file": { "type": "string" },
                        "line": { "type": "integer" },
                        "col": { "type": "integer" }
                    }
                }}}
            },
            "profiles": { "type": "array", "items": {
                "type": "object",
                "required": ["type", "name", "unit", "startValue", "endValue", "samples", "weights"],
                "additionalProperties": false,
                "properties": {
                    "type": { "const": "sampled" },
                    "name": { "type": "string" },
                    "unit": { "enum": ["none", "nanoseconds", "microseconds", "milliseconds", "seconds", "bytes"] },
                    "startValue": { "type": "number" },
                    "endValue": { "type": "number" },
                    "samples": { "type": "array", "items": { "type": "array", "minItems": 1, "items": { "type": "integer", "minimum": 0 } } },
                    "weights": { "type": "array", "items": { "type": "number", "exclusiveMinimum": 0 } }
                }
            }}
        }
    })
}

fn encoded(profile: &Profile) -> Value {
    let file: Value = serde_json::from_str(&encode(profile, &fixture::server().report())).unwrap();
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let errors: Vec<String> = validator.iter_errors(&file).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    file
}

#[test]
fn each_weight_is_a_profile_that_ends_at_the_figure() {
    for profile in [server(), hostile(), Profile::default()] {
        let file = encoded(&profile);
        let frames = file["shared"]["frames"].as_array().unwrap().len() as u64;
        let profiles = file["profiles"].as_array().unwrap();
        assert_eq!(profiles.len(), Weight::ALL.len());
        for (found, weight) in profiles.iter().zip(Weight::ALL) {
            let weights: Vec<u64> = found["weights"].as_array().unwrap().iter().map(|w| w.as_u64().unwrap()).collect();
            assert_eq!(weights.iter().sum::<u64>(), profile.total(weight));
            assert_eq!(found["endValue"], profile.total(weight));
            assert_eq!((&found["name"], &found["unit"]), (&json!(weight.title()), &json!("nanoseconds")));
            let samples = found["samples"].as_array().unwrap();
            assert_eq!(samples.len(), weights.len());
            let indices = samples.iter().flat_map(|s| s.as_array().unwrap()).map(|i| i.as_u64().unwrap());
            assert!(indices.into_iter().all(|i| i < frames));
        }
    }
}

#[test]
fn stacks_begin_with_the_outermost_frame() {
    let file = encoded(&server());
    let name = |i: &Value| file["shared"]["frames"][i.as_u64().unwrap() as usize]["name"].as_str().unwrap().to_owned();
    let cpu: Vec<Vec<String>> = file["profiles"][3]["samples"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s.as_array().unwrap().iter().map(name).collect())
        .collect();
    assert!(
        cpu.contains(&vec!["main".to_owned(), "echo::serve".to_owned(), "echo::read_request".to_owned()]),
        "{cpu:?}"
    );
    let sources = file["shared"]["frames"].as_array().unwrap();
    assert!(sources.contains(&json!({ "name": "echo::serve", "file": "src/serve.rs", "line": 40 })));
    assert!(sources.contains(&json!({ "name": "do_syscall_64", "file": "[kernel]" })));
    assert!(sources.contains(&json!({ "name": "--" })));
}
