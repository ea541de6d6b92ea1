//! A model read back from its file says what the trainer counted; a file that is no model is
//! refused by name.

#![allow(clippy::unwrap_used, reason = "this is test code, which clippy sees only inside test functions")]

mod support;

use besom_dataset::Dataset;
use besom_mlp::{InputScaling, ModelFile, Predictor, Trained, sample_test};
use besom_sweep::{Activation, Engine};
use sha2::{Digest, Sha256};
use support::{config, data, job, run};

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(bytes: &[u8]) -> ModelFile {
    ModelFile::read(bytes, &digest(bytes)).unwrap()
}

fn trained(data: &Dataset, activation: Activation, hidden: &[u32]) -> Trained {
    run(job(&config(data, |h| (h.activation, h.hidden) = (activation, hidden.to_vec()))), data)
}

#[test]
fn predictions_count_up_to_the_trainers_confusion_for_every_activation_and_depth() {
    let data = data(20, 4);
    for activation in [Activation::Relu, Activation::Tanh, Activation::Sigmoid, Activation::Gelu, Activation::Elu] {
        for hidden in [&[8, 6][..], &[5]] {
            let trained = trained(&data, activation, hidden);
            let model = read(&trained.final_model);
            assert_eq!((model.features(), model.classes(), model.activation()), (20, 4, activation));
            let predictor = Predictor::new(&model, Engine::Candle, &data).unwrap();
            assert_eq!(Some(predictor.confusion().unwrap()), trained.confusion, "{activation:?} {hidden:?}");
        }
    }
}

#[test]
fn a_model_of_floats_says_how_they_were_scaled_and_predicts_only_such() {
    let bytes = data(20, 4);
    for (scale, shifts, divisors) in [
        ("none", vec![], vec![]),
        ("max", vec![], (0..20).map(|feature| 1.0 + f64::from(feature) / 3.0).collect()),
        ("standard", vec![-0.125; 20], (0..20).map(|feature| 1.0 + f64::from(feature)).collect()),
    ] {
        let data = support::scaled(&bytes, |byte| byte / 50.0 - 2.0, scale, &[&shifts, &divisors]);
        for engine in [Engine::Native, Engine::Candle] {
            let config = besom_sweep::JobConfig { engine, ..config(&data, |_| ()) };
            let trained = run(job(&config), &data);
            let model = read(&trained.final_model);
            let InputScaling::Floats(scaling) = model.scaling() else { panic!("{:?}", model.scaling()) };
            assert_eq!((scaling.scale().as_str(), scaling.shifts(), scaling.divisors()), (scale, &*shifts, &*divisors));
            let predictor = Predictor::new(&model, engine, &data).unwrap();
            assert_eq!(Some(predictor.confusion().unwrap()), trained.confusion);
            assert!(
                trained.records.last().unwrap().metric("val_accuracy").unwrap() > 0.5,
                "{scale}: {:?}",
                trained.records
            );
            let other = support::scaled(&bytes, |byte| byte, "none", &[&[], &[]]);
            if scale != "none" {
                let refused = Predictor::new(&model, engine, &other).err().unwrap().message;
                assert!(refused.contains("other statistics"), "{refused}");
            }
            let refused = Predictor::new(&model, engine, &bytes).err().unwrap().message;
            assert!(refused.contains("other statistics"), "{refused}");
        }
    }
}

#[test]
fn many_classes_train_alike_with_both_engines() {
    let data = data(20, 700);
    let accuracy = [Engine::Native, Engine::Candle].map(|engine| {
        let config = besom_sweep::JobConfig { engine, ..config(&data, |h| h.epochs = 2) };
        let trained = run(job(&config), &data);
        let confusion = trained.confusion.unwrap();
        assert_eq!((confusion.classes, confusion.pairs().map(|(.., count)| count).sum::<u32>()), (700, 75));
        trained.records[1].metric("loss").unwrap()
    });
    assert!((accuracy[0] - accuracy[1]).abs() < 1e-4, "{accuracy:?}");
}

#[test]
fn a_drawing_is_predicted_the_same_alone_and_among_others() {
    let data = data(20, 4);
    let trained = trained(&data, Activation::Relu, &[8, 6]);
    let model = read(&trained.final_model);
    let predictor = Predictor::new(&model, Engine::Candle, &data).unwrap();
    let rows: Vec<u32> = (0..data.header().test).collect();
    let all = predictor.test_rows(&rows).unwrap();
    let mut counts = vec![0; 16];
    for (prediction, &label) in all.iter().zip(&data.labels()[250..]) {
        counts[usize::from(label) * 4 + prediction.class] += 1;
        let sum: f64 = prediction.probabilities.iter().sum();
        assert!((sum - 1.0).abs() < 1e-12 && prediction.confidence() >= 0.25);
    }
    assert_eq!(counts, trained.confusion.unwrap().rows().unwrap());
    for row in [74, 0, 31] {
        assert_eq!(predictor.test_rows(&[row]).unwrap(), all[row as usize..][..1], "bit for bit");
    }
    let error = predictor.test_rows(&[75]).unwrap_err();
    assert!(error.message.contains("test sample 75: there are 75"), "{error}");
}

#[test]
fn samples_are_drawn_by_seed_without_repetition() {
    let data = data(20, 4);
    let drawn = sample_test(&data, 30, 7);
    assert_eq!(drawn, sample_test(&data, 30, 7));
    assert_ne!(drawn, sample_test(&data, 30, 8));
    assert_eq!(drawn[..10], sample_test(&data, 10, 7), "fewer are the first of more");
    let mut all = sample_test(&data, u32::MAX, 7);
    all.sort_unstable();
    assert_eq!(all, (0..75).collect::<Vec<u32>>());
}

#[test]
fn a_model_of_other_data_is_refused_with_both_sizes() {
    let (small, large) = (data(20, 4), data(24, 3));
    let model = read(&trained(&small, Activation::Relu, &[8]).final_model);
    let error = Predictor::new(&model, Engine::Candle, &large).err().unwrap().message;
    assert!(error.contains("20 values and knows 4 classes") && error.contains("24 values"), "{error}");
}

/// The file with another header text, or other bytes behind it.
fn forged(file: &[u8], header: impl Fn(&str) -> String, body: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let text = header(std::str::from_utf8(&file[8..8 + length]).unwrap());
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text.as_bytes());
    let mut rest = file[8 + length..].to_vec();
    body(&mut rest);
    bytes.extend(rest);
    bytes
}

#[test]
fn a_file_that_is_no_whole_model_is_refused_and_says_why() {
    let data = data(20, 4);
    let file = trained(&data, Activation::Relu, &[8, 6]).final_model;
    let said = |bytes: &[u8]| ModelFile::read(bytes, &digest(bytes)).unwrap_err().to_string();
    let changed = |from: &str, to: &str| {
        said(&forged(
            &file,
            |text| {
                assert!(text.contains(from), "{from} in {text}");
                text.replacen(from, to, 1)
            },
            |_| (),
        ))
    };
    assert!(ModelFile::read(&file, &digest(b"other")).unwrap_err().to_string().contains("damaged"));
    for cut in [0, 7, 8, 100, file.len() - 1] {
        let error = said(&file[..cut]);
        assert!(error.contains("not a whole safetensors file"), "{cut}: {error}");
    }
    let longer = said(&forged(&file, str::to_owned, |body| body.push(0)));
    assert!(longer.contains("not a whole safetensors file"), "{longer}");
    assert!(changed(r#""activation":"relu""#, r#""activation":"step""#).contains("activation"));
    assert!(changed(r#""input_max":"#, r#""input_mix":"#).contains("metadata lack `input_max`"));
    assert!(changed(r#""trainer":"mlp""#, r#""trainer":"cnn""#).contains("trainer: `cnn`"));
    assert!(changed(r#""layers.1.bias""#, r#""layers.9.bias""#).contains("`layers.1.bias` is missing"));
    assert!(changed(r#""shape":[8,20]"#, r#""shape":[20,8]"#).contains("layers.0"));
    assert!(changed(r#""shape":[8,20]"#, r#""shape":[160]"#).contains("[out, in]"));
    assert!(changed(r#""dtype":"F32","shape":[8,20]"#, r#""dtype":"I32","shape":[8,20]"#).contains("I32"));
    assert!(changed(r#""input_max":"#, r#""input_max":"0","x":"#).contains("not 1 to 255"));
    let empty = br#"{"__metadata__":{"trainer":"mlp","activation":"relu","dataset":"","input_max":"9"}}"#;
    let mut bytes = (empty.len() as u64).to_le_bytes().to_vec();
    bytes.extend(empty);
    assert!(said(&bytes).contains("no layer"), "{}", said(&bytes));
}

#[test]
fn weights_that_overflow_are_an_error_and_no_guess() {
    let data = data(20, 4);
    let file = trained(&data, Activation::Relu, &[8, 6]).final_model;
    let huge = forged(&file, str::to_owned, |body| {
        for value in body.as_chunks_mut::<4>().0 {
            *value = 1e38_f32.to_le_bytes();
        }
    });
    let model = read(&huge);
    let predictor = Predictor::new(&model, Engine::Candle, &data).unwrap();
    let error = predictor.test_rows(&[3]).unwrap_err();
    assert!(error.message.contains("sample 3: the model's outputs are not finite"), "{error}");
}
