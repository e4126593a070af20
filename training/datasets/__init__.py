"""Data sets of faces and blurry pairs, named after their stages.

From videos to clips (``dataset build``): `tracks` finds faces and `frame_changes` repeated frames and cuts; `clip_windows` places
windows that stand still; `clip_encoding` encodes them; `clips` is the stage as a whole. From pictures to stills (``dataset
stills``): `stills`. From clips to pairs (``dataset pairs``): `pairs` by averaging, `sampled_pairs` as a training samples them.

What the stages share: `source_files`, `identities` and `splits`, `face_detection` and `face_quality`, `duplicates`, `part_tasks`
(work over processes) and `dataset_assembly` (from parts to `shards`), `statistics` and `ages`.

For training: `random_access` opens data sets, with their pixels in a `pixel_cache`; `recipe` says which pairs there are;
`pair_maker` makes them from `random_crops`; `pair_sources` are the pairs of a training.
"""
